"""Judge the stored completions of a run again by another judge; nothing is generated.

What the former judge decided stays: the strength that it chose on validation prompts, which prompts left for their
clean answers or were left unscored by it, and which cells failed.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graftbench.benchmark.core.budget import Budget
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.results.entry_files import read_entry
from graftbench.benchmark.results.rows import CLEAN, judging_cost, table_of
from graftbench.benchmark.results.schema import CellResult, Entry, Headline, SuiteIdentity
from graftbench.benchmark.results.scores import CELLS_LEFT_OUT, headline
from graftbench.benchmark.results.stored_rows import read_rows, row_numbers_by_experiment
from graftbench.benchmark.runs.agreement import JudgeAgreement, agreement_of
from graftbench.benchmark.runs.folder import ENTRY, ROWS, write_run
from graftbench.benchmark.runs.plan import judges_of_task
from graftbench.benchmark.runs.rejudged_cells import rejudged_cell, rejudged_rows
from graftbench.benchmark.runs.suite import SUITE, Suite, read_suite_file

NOBODY = "nobody"


@dataclass(frozen=True)
class StoredRun:
    """A run as its folder holds it."""

    entry: Entry
    suite: Suite
    rows: list[dict[str, Any]]


@dataclass(frozen=True)
class Rejudged:
    """The entry with the new judge's verdicts, the tasks that were judged again, and how both judges agree."""

    entry: Entry
    tasks: tuple[str, ...]
    agreement: JudgeAgreement


def rejudge(run: Path, measure: str, judge: Mapping[str, Any], out: Path, budget: Budget | None = None) -> Rejudged:
    """Judge a measure of every task that has it by another judge, and write the result as another run folder.

    UserError where the run cannot be read or none of its tasks has the measure.
    """
    stored = _read(run)
    suite = _with_judge(stored, measure, judge)
    judges = {task: judges_of_task(suite, task) for task in stored.entry.judges}
    tasks = _worth_judging(stored, measure, judges)
    rows = _new_rows(stored, suite, measure, tasks, budget)
    judged_by = {task: judges_of_task(suite, task) for task in tasks}  # a server's refusals are known by now
    entry = _new_entry(stored, suite, measure, judged_by, rows)
    write_run(out, suite, entry, [table_of(rows)], timings=None)
    pairs = [(a, b) for a, b in zip(stored.rows, rows, strict=True) if a["task"] in tasks and a["split"] != CLEAN]
    return Rejudged(entry, tuple(tasks), agreement_of(measure, pairs))


def _read(run: Path) -> StoredRun:
    try:
        return StoredRun(read_entry(run / ENTRY), read_suite_file(run / SUITE), read_rows(run / ROWS))
    except UserError as error:
        raise UserError(f"{run} is no folder of a run that can be judged again: {error}") from error


def _with_judge(stored: StoredRun, measure: str, judge: Mapping[str, Any]) -> Suite:
    """Return the suite of the run with another judge in every task of the run that judges the measure."""
    has = [task for task, judges in stored.entry.judges.items() if measure in judges]
    has = has or [task for task in stored.entry.judges if _can_judge(stored.suite, task, measure, judge)]
    if not has:
        known = sorted({name for judges in stored.entry.judges.values() for name in judges})
        raise UserError(f"No task of the run judges {measure!r}; they judge {', '.join(known)}.")
    return _judged_by(stored.suite, has, measure, judge)


def _judged_by(suite: Suite, tasks: Collection[str], measure: str, judge: Mapping[str, Any]) -> Suite:
    """Return a suite that names a judge of a measure in some of its tasks."""
    changed = {
        name: task.model_copy(update={"judges": {**task.judges, measure: dict(judge)}}) if name in tasks else task
        for name, task in suite.tasks.items()
    }
    return suite.model_copy(update={"tasks": changed})


def _can_judge(suite: Suite, task: str, measure: str, judge: Mapping[str, Any]) -> bool:
    """Return True where a task that did not judge a measure can, besides success."""
    try:
        judges_of_task(_judged_by(suite, [task], measure, judge), task)
    except UserError as error:
        if "no measure" in str(error):
            return False
        raise
    return True


def _worth_judging(stored: StoredRun, measure: str, judges: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return the tasks that another judge judged, or where that judge left something unscored."""
    judged = [row for row in stored.rows if row["split"] != CLEAN]
    unscored = {row["task"] for row in judged if row["reason"] or measure in json.loads(row["unscored"] or "{}")}
    former = stored.entry.judges
    tasks = [
        task
        for task, now in judges.items()
        if measure in now and (now[measure] != former[task].get(measure) or task in unscored)
    ]
    if not tasks:
        raise UserError(f"{measure!r} was judged by that very judge, all of it: there is nothing to judge again.")
    return tasks


def _new_rows(
    stored: StoredRun, suite: Suite, measure: str, tasks: list[str], budget: Budget | None
) -> list[dict[str, Any]]:
    rows = list(stored.rows)
    for key, where in row_numbers_by_experiment(stored.rows).items():
        if key[0] in tasks:
            new = rejudged_rows(suite, measure, key, [stored.rows[i] for i in where], budget)
            for i, row in zip(where, new, strict=True):
                rows[i] = row
    return rows


def _new_entry(
    stored: StoredRun,
    suite: Suite,
    measure: str,
    judges: Mapping[str, dict[str, str]],
    rows: list[dict[str, Any]],
) -> Entry:
    """Return the entry of the run with the new verdicts; `judges` are those of the tasks that were judged again."""
    experiments = row_numbers_by_experiment(rows)
    cells = [
        rejudged_cell(cell, [rows[i] for i in experiments.get((cell.task, cell.variant, cell.pair), [])])
        if cell.task in judges
        else cell
        for cell in stored.entry.cells
    ]
    former = "; ".join(dict.fromkeys(stored.entry.judges[task].get(measure, NOBODY) for task in judges))
    every = stored.entry.judges | dict(judges)
    return stored.entry.model_copy(
        update={
            "suite": SuiteIdentity(name=suite.name, hash=suite.hash),
            "judges": every,
            "rejudged": {measure: former} | stored.entry.rejudged,  # the first judge of a measure stays on record
            "judging": judging_cost(rows, every),
            "cells": cells,
            "headline": _headline(stored.entry, cells),
        }
    )


def _headline(former: Entry, cells: Sequence[CellResult]) -> Headline:
    filtered = former.headline.reason == CELLS_LEFT_OUT
    return headline(cells, filtered=filtered, left_out=former.headline.left_out)
