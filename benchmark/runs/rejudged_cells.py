"""Answers and cells with the verdicts of another judge.

Choices that rest on the former judge stay: the strength, the prompts that were left out, and the cells that failed.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from graftbench.benchmark.core.budget import Budget
from graftbench.benchmark.core.escaping import in_one_line
from graftbench.benchmark.core.names import split_pair
from graftbench.benchmark.data.examples import Example, Prompt
from graftbench.benchmark.experiments.bench import Outcome, TargetEvidence
from graftbench.benchmark.experiments.direction.reference import harmless_still_good
from graftbench.benchmark.experiments.protocol import Order, Scored
from graftbench.benchmark.experiments.switching.untriggered import STILL_GOOD, good_untriggered
from graftbench.benchmark.results.rows import CLEAN, PERPLEXITY, Answer, row_of, scored_everywhere
from graftbench.benchmark.results.schema import CellResult
from graftbench.benchmark.results.stored_rows import ExperimentKey, answer_of_row, rows_of_cell, summary_of
from graftbench.benchmark.runs.entry import measured
from graftbench.benchmark.runs.plan import dataset_of, task_named
from graftbench.benchmark.runs.suite import Suite


def rejudged_rows(
    suite: Suite, measure: str, key: ExperimentKey, rows: Sequence[dict[str, Any]], budget: Budget | None
) -> list[dict[str, Any]]:
    """Return the rows of one experiment with the new judge's verdicts on a measure."""
    name, variant, pair = key
    spec = suite.tasks[name]
    order = Order(variant, *split_pair(pair), None, spec.settings, spec.judges)
    clean = {row["item"]: row["completion"] for row in rows if row["split"] == CLEAN}
    outcomes: dict[int, Outcome] = {}
    for split, judging in task_named(name).judging(order, dataset_of(suite, name), budget).items():
        where = [i for i, row in enumerate(rows) if row["split"] == split]
        examples = [Example(Prompt(rows[i]["prompt"]), None, "", reference=rows[i]["reference"]) for i in where]
        evidence = [_evidence(rows[i], clean) for i in where]
        replies = [rows[i]["completion"] for i in where]
        outcomes |= dict(zip(where, judging(examples, replies, evidence), strict=True))
    return [
        row_of(row, _rejudged(answer_of_row(row), measure, outcomes[i])) if i in outcomes else row
        for i, row in enumerate(rows)
    ]


def _evidence(row: Mapping[str, Any], clean: Mapping[str, str]) -> TargetEvidence:
    """Return what a run stored of the untouched target; the perplexity only where a former judge needed it."""
    return TargetEvidence(clean.get(row["item"]), json.loads(row["marks"]).get(PERPLEXITY))


def _rejudged(answer: Answer, measure: str, outcome: Outcome) -> Answer:
    """Return the answer with the part of a new outcome that depends on the measure.

    A measure that is reported besides success changes its own mark alone. A measure that is part of success changes
    success and the marks that are yes or no; scores besides success stay.
    """
    if measure in outcome.unscored or isinstance(outcome.marks.get(measure), float):
        unscored = {name: why for name, why in answer.unscored.items() if name != measure}
        unscored |= {name: why for name, why in outcome.unscored.items() if name == measure}
        marks = {**answer.marks, measure: outcome.marks.get(measure)}
        return replace(answer, marks=marks, unscored=unscored, took=outcome.took)
    scores = {name: mark for name, mark in answer.marks.items() if not isinstance(mark, bool)}
    success = {name: getattr(outcome, name) for name in ("gone", "good", "reason", "took")}
    return replace(answer, **success, marks={**outcome.marks, **scores})


def rejudged_cell(cell: CellResult, rows: Sequence[Mapping[str, Any]]) -> CellResult:
    """Compute a cell again from its experiment's rows, which hold the new verdicts.

    It fails where over 5 % of prompts are unscored; a cell that had failed before is returned as it is.
    """
    if cell.status != "ok":
        return cell
    answers = [answer_of_row(row) for row in rows_of_cell(rows, cell.track, cell.seed)]
    try:
        scored = scored_everywhere([a for a in answers if a.split == "test"])
        good: dict[str, Mapping[str, float | None]] = {
            "good_harmless": harmless_still_good(answers),
            STILL_GOOD: good_untriggered(answers),
        }
    except RuntimeError as error:
        return _failed(cell, str(error))
    ids = [prompt for prompt in cell.prompt_ids if prompt in scored]
    new = measured(_scored(cell, answers, ids, good), fitted=cell.training is not None)
    if ids == cell.prompt_ids:  # equality with the clean answer is no verdict of a judge
        new["rates"] = {
            name: rate.model_copy(update={"equal_clean": cell.rates[name].equal_clean})
            for name, rate in new["rates"].items()
        }
    return cell.model_copy(update=new)


def _failed(cell: CellResult, reason: str) -> CellResult:
    nothing: dict[str, Any] = {"steerable": None, "transfer": None, "rates": {}, "bits": {}}
    return cell.model_copy(update={"status": "failed", "reason": in_one_line(reason), **nothing})


def _scored(
    cell: CellResult, answers: Sequence[Answer], ids: Sequence[str], good: Mapping[str, Mapping[str, float | None]]
) -> Scored:
    assert cell.transfer is not None
    return Scored(
        summary=summary_of(answers, ids, dict(zip(cell.prompt_ids, cell.clusters, strict=True))),
        baseline=cell.transfer.baseline,
        strength=cell.strength,
        n_asked=cell.n_asked or 0,
        n_validation=cell.n_validation or 0,
        models=cell.models,
        reasons={name: rate.reason or "" for name, rate in cell.rates.items() if rate.value is None},
        fidelity=cell.fidelity,
        positions=cell.positions or (None, None),
        measures={name: _measures(rate.measures, name, good) for name, rate in cell.rates.items()},
    )


def _measures(
    former: Mapping[str, float | None], condition: str, good: Mapping[str, Mapping[str, float | None]]
) -> dict[str, float | None]:
    """Return the measures of a condition, with those anew that are shares of good answers."""
    return {**former, **{name: shares.get(condition) for name, shares in good.items() if name in former}}
