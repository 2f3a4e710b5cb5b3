"""`graftbench rejudge`: stored completions judged again by another judge; nothing is generated.

What the former judge decided stays: the strength that it chose on validation prompts, which prompts left for their
clean answers or were left unscored by it, and which cells failed.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sklearn.metrics import cohen_kappa_score

from graftbench.benchmark.core.budget import Budget
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.names import split_pair
from graftbench.benchmark.core.plugins import plugin
from graftbench.benchmark.core.text import in_one_line
from graftbench.benchmark.data.examples import Example, Prompt
from graftbench.benchmark.experiments.direction.reference import still_good
from graftbench.benchmark.experiments.judging import Outcome
from graftbench.benchmark.experiments.protocol import Order, Scored, Task
from graftbench.benchmark.metrics.statistics import rank_correlation
from graftbench.benchmark.results.answers import CLEAN, Answer, scored_everywhere
from graftbench.benchmark.results.entry_files import read_entry
from graftbench.benchmark.results.rows import row_of, table_of, what_they_took
from graftbench.benchmark.results.schema import CellResult, Entry, SuiteIdentity
from graftbench.benchmark.results.scores import LEFT_OUT, headline
from graftbench.benchmark.results.stored_rows import Group, answer_of_row, groups_of, of_cell, stored_rows, summary_of
from graftbench.benchmark.runs.entry import measured
from graftbench.benchmark.runs.folder import ENTRY, ROWS, SUITE, write_run
from graftbench.benchmark.runs.suite import Suite, read_suite_file

NOBODY = "nobody"


@dataclass(frozen=True)
class Stored:
    """A run as its folder holds it."""

    entry: Entry
    suite: Suite
    rows: list[dict[str, Any]]


@dataclass(frozen=True)
class Rejudged:
    """What came of it: the entry with the new judge's verdicts, and how both judges agree.

    Over `n` completions that both scored. Of yes and no `same` is the share on which both agree, `kappa` Cohen's, None
    where one of them always says the same; of scores beside success `spearman` is their correlation.
    """

    entry: Entry
    tasks: tuple[str, ...]  # those that were judged again
    n: int
    unscored: int
    same: float | None = None
    kappa: float | None = None
    spearman: float | None = None

    @property
    def agreement(self) -> str:
        """How both judges agree, in words."""
        if self.same is not None:
            kappa = "none" if self.kappa is None else f"{self.kappa:g}"
            return f"Both judges find success, or none, in {self.same:.1%} of {self.n} completions (kappa {kappa})"
        if self.spearman is not None:
            return f"Spearman's correlation of both judges' scores is {self.spearman:g} over {self.n} completions"
        return f"Both judges scored {self.n} completions, too few or too much alike to compare"


def rejudge(run: Path, measure: str, judge: Mapping[str, Any], out: Path, budget: Budget | None = None) -> Rejudged:
    """Judge a measure of every task that has it by another judge, and write what comes of it as another run folder.

    UserError where the run cannot be read or none of its tasks has the measure.
    """
    stored = _read(run)
    suite = _with_judge(stored, measure, judge)
    judges = {task: plugin("tasks", task)().judges(suite.tasks[task].judges) for task in stored.entry.judges}
    named = _worth_judging(stored, measure, judges)
    rows, groups = list(stored.rows), groups_of(stored.rows)
    for group, where in groups.items():
        if group[0] in named:
            new = _again(suite, measure, group, [stored.rows[i] for i in where], budget)
            for i, row in zip(where, new, strict=True):
                rows[i] = row
    cells = [
        _cell(cell, [rows[i] for i in groups.get((cell.task, cell.variant, cell.pair), [])])
        if cell.task in named
        else cell
        for cell in stored.entry.cells
    ]
    former = "; ".join(dict.fromkeys(stored.entry.judges[task].get(measure, NOBODY) for task in named))
    entry = stored.entry.model_copy(
        update={
            "suite": SuiteIdentity(name=suite.name, hash=suite.hash),
            "judges": stored.entry.judges | {task: judges[task] for task in named},
            "rejudged": {measure: former} | stored.entry.rejudged,  # who judged first stays
            "judging": what_they_took(rows, stored.entry.judges | {task: judges[task] for task in named}),
            "cells": cells,
            "headline": headline(cells, filtered=stored.entry.headline.reason == LEFT_OUT),
        }
    )
    write_run(out, suite, entry, [table_of(rows)], timings=None)
    both = [(a, b) for a, b in zip(stored.rows, rows, strict=True) if a["task"] in named and a["split"] != CLEAN]
    return Rejudged(entry, tuple(named), **_compared(measure, both))


def _worth_judging(stored: Stored, measure: str, judges: Mapping[str, Mapping[str, str]]) -> list[str]:
    """The tasks that another judge judged, or where that judge left something unscored."""
    judged = [row for row in stored.rows if row["split"] != CLEAN]
    unscored = {row["task"] for row in judged if row["reason"] or measure in json.loads(row["unscored"] or "{}")}
    former = stored.entry.judges
    named = [
        task
        for task, now in judges.items()
        if measure in now and (now[measure] != former[task].get(measure) or task in unscored)
    ]
    if not named:
        raise UserError(f"{measure!r} was judged by that very judge, all of it: there is nothing to judge again.")
    return named


def _read(run: Path) -> Stored:
    try:
        return Stored(read_entry(run / ENTRY), read_suite_file(run / SUITE), stored_rows(run / ROWS))
    except UserError as error:
        raise UserError(f"{run} is no folder of a run that can be judged again: {error}") from error


def _with_judge(stored: Stored, measure: str, judge: Mapping[str, Any]) -> Suite:
    """The suite of the run with another judge in every task of the run that judges the measure."""
    has = [task for task, judges in stored.entry.judges.items() if measure in judges]
    has = has or [task for task in stored.entry.judges if _can_judge(stored.suite, task, measure, judge)]
    if not has:
        known = sorted({name for judges in stored.entry.judges.values() for name in judges})
        raise UserError(f"No task of the run judges {measure!r}; they judge {', '.join(known)}.")
    tasks = {
        name: task.model_copy(update={"judges": {**task.judges, measure: dict(judge)}}) if name in has else task
        for name, task in stored.suite.tasks.items()
    }
    return stored.suite.model_copy(update={"tasks": tasks})


def _can_judge(suite: Suite, task: str, measure: str, judge: Mapping[str, Any]) -> bool:
    """Whether a task that did not judge a measure can: beside success."""
    found: Task = plugin("tasks", task)()
    try:
        found.judges({**suite.tasks[task].judges, measure: dict(judge)})
    except UserError as error:
        if "no measure" in str(error):
            return False
        raise
    return True


def _again(
    suite: Suite, measure: str, group: Group, rows: Sequence[dict[str, Any]], budget: Budget | None
) -> list[dict[str, Any]]:
    """The rows of one experiment with new verdicts."""
    name, variant, pair = group
    task: Task = plugin("tasks", name)()
    ordered = Order(variant, *split_pair(pair), None, suite.tasks[name].settings, suite.tasks[name].judges)
    found: dict[int, Outcome] = {}
    for split, judging in task.judging(ordered, budget).items():
        where = [i for i, row in enumerate(rows) if row["split"] == split]
        items = [_item(rows[i]) for i in where]
        found |= dict(zip(where, judging(items, [rows[i]["completion"] for i in where]), strict=True))
    return [
        row_of(row, _judged(answer_of_row(row), measure, found[i])) if i in found else row for i, row in enumerate(rows)
    ]


def _item(row: Mapping[str, Any]) -> Example:
    return Example(Prompt(row["prompt"]), None, "", reference=row["reference"])


def _judged(answer: Answer, measure: str, outcome: Outcome) -> Answer:
    """The answer with what is new in the outcome: the measure beside success, or success and what belongs to it."""
    if measure in outcome.unscored or isinstance(outcome.marks.get(measure), float):
        beside = {measure: outcome.marks.get(measure)}
        unscored = {name: why for name, why in answer.unscored.items() if name != measure}
        unscored |= {name: why for name, why in outcome.unscored.items() if name == measure}
        return replace(answer, marks={**answer.marks, **beside}, unscored=unscored, took=outcome.took)
    kept = {name: answer.marks[name] for name in _beside(answer)}
    success = {name: getattr(outcome, name) for name in ("gone", "good", "reason", "took")}
    return replace(answer, **success, marks={**outcome.marks, **kept})


def _beside(answer: Answer) -> list[str]:
    """The marks that are scores beside success: of what belongs to it there is a yes or a no."""
    return [name for name, mark in answer.marks.items() if not isinstance(mark, bool)]


def _cell(cell: CellResult, rows: Sequence[Mapping[str, Any]]) -> CellResult:
    """A cell by the new verdicts on the rows of its experiment; failed where more than 5 % of prompts are unscored."""
    if cell.status != "ok":
        return cell
    found = [answer_of_row(row) for row in of_cell(rows, cell.track, cell.seed)]
    try:
        scored = scored_everywhere([a for a in found if a.split == "test"])
        good = still_good(found)
    except RuntimeError as error:
        return cell.model_copy(
            update={
                "status": "failed",
                "reason": in_one_line(str(error)),
                "steerable": None,
                "transfer": None,
                "rates": {},
                "bits": {},
            }
        )
    ids = [prompt for prompt in cell.prompt_ids if prompt in scored]
    summary = summary_of(found, ids, dict(zip(cell.prompt_ids, cell.clusters, strict=True)))
    assert cell.transfer is not None
    again = Scored(
        summary=summary,
        baseline=cell.transfer.baseline,
        strength=cell.strength,
        n_asked=cell.n_asked or 0,
        n_validation=cell.n_validation or 0,
        models=cell.models,
        reasons={name: rate.reason or "" for name, rate in cell.rates.items() if rate.value is None},
        fidelity=cell.fidelity,
        positions=cell.positions or (None, None),
        measures={name: _measures(rate.measures, good.get(name)) for name, rate in cell.rates.items()},
    )
    new = measured(again, fitted=cell.training is not None)
    if ids == cell.prompt_ids:  # what no judge has a say in
        new["rates"] = {
            name: rate.model_copy(update={"equal_clean": cell.rates[name].equal_clean})
            for name, rate in new["rates"].items()
        }
    return cell.model_copy(update=new)


def _measures(former: Mapping[str, float | None], good: float | None) -> dict[str, float | None]:
    return {**former, **({"good_harmless": good} if "good_harmless" in former else {})}


def _compared(measure: str, both: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> dict[str, Any]:
    """How often the success of a completion is the same by both judges, or how their scores beside it go together."""
    told = [tuple(json.loads(row["marks"]).get(measure) for row in pair) for pair in both]
    unscored = [b["success"] is None or measure in json.loads(b["unscored"] or "{}") for _, b in both]
    if any(isinstance(after, float) for _, after in told):  # a score beside success, and no part of it
        scored = [(a, b) for a, b in told if a is not None and b is not None]
        return {"n": len(scored), "unscored": sum(unscored), "spearman": rank_correlation(*_columns(scored))}
    bits = [(a["success"], b["success"]) for a, b in both if a["success"] is not None and b["success"] is not None]
    kappa = None
    if bits and all(len(set(said)) > 1 for said in zip(*bits, strict=True)):
        kappa = round(float(cohen_kappa_score(*zip(*bits, strict=True))), 4)
    same = sum(a == b for a, b in bits) / len(bits) if bits else None
    return {"n": len(bits), "unscored": sum(unscored), "same": same, "kappa": kappa}


def _columns(pairs: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [a for a, _ in pairs], [b for _, b in pairs]
