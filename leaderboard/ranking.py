"""Ranking of mappers from their entries alone: two numbers, by suite, with ranges of ranks."""

import json
from collections.abc import Iterator, Mapping, Sequence, Set
from types import MappingProxyType
from typing import Any

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.results.pooling import Pooling, by_place
from graftbench.benchmark.results.schema import CellResult, Entry
from graftbench.benchmark.results.scores import counts
from graftbench.leaderboard.columns import cost, fidelity, side_effects
from graftbench.leaderboard.entries import by_suite
from graftbench.leaderboard.graded import graded, norms, of_refit
from graftbench.leaderboard.ranks import LEAST_DIFFERENCE, Rank, ranks
from graftbench.leaderboard.scored import CARRIED, FITTED, Scored, memory_of, scored
from graftbench.leaderboard.scoring import Scoring

BOARD_VERSION = 5  # of leaderboard.json; before 5, no score said what random vectors would score
CONTROLS = ("zero", "mean", "identity", "random_map", "shuffled", "lookup")  # what others are compared with: no rank
_FORMER_DATASET = "pocket/1"
_NO_SCORINGS: Mapping[str, Scoring] = MappingProxyType({})
_NO_MEMORIES: Mapping[str, Sequence[Entry] | str] = MappingProxyType({})


def leaderboard_of(
    entries: Sequence[Entry],
    scorings: Mapping[str, Scoring] = _NO_SCORINGS,
    memories: Mapping[str, Sequence[Entry] | str] = _NO_MEMORIES,
) -> dict[str, Any]:
    """Return the ranking of each suite by its name; UserError where entries of one suite cannot be compared."""
    suites = {
        name: ranking_of(ours, scorings.get(name), memories.get(name, ())) for name, ours in by_suite(entries).items()
    }
    return {"schema_version": BOARD_VERSION, "suites": suites}


def ranking_of(
    entries: Sequence[Entry], scoring: Scoring | None = None, memories: Sequence[Entry] | str = ()
) -> dict[str, Any]:
    """Score and rank the mappers of one suite; UserError where entries cannot be compared.

    `scores` has a list of rows for each of the two numbers, best first. Controls come after all mappers and have no
    rank; mappers without a score come last in their block, with the reason. `mappers` has what stands beside.
    `memories` are entries of memory from elsewhere, which are not ranked, or the reason why there are none.
    """
    check_comparable(entries)
    scoring = scoring or Scoring()
    pooling = Pooling.over(cell for entry in entries for cell in entry.cells)
    memory = memories if isinstance(memories, str) else memory_of([*entries, *memories], scoring)
    return {
        "hash": entries[0].suite.hash,
        "memory": list(scoring.memory),
        "left_out": entries[0].headline.left_out,
        "least_difference": LEAST_DIFFERENCE,
        "scores": {
            number: _rows([scored(entry, number, pooling, memory) for entry in entries], scoring, number)
            for number in (CARRIED, FITTED)
        },
        "mappers": [_mapper(entry, pooling) for entry in sorted(entries, key=lambda e: e.mapper.name)],
    }


def is_control(entry: Entry, scoring: Scoring) -> bool:
    """Return whether a mapper is one that others are compared with: a control, or part of the memory."""
    return entry.mapper.source in (*CONTROLS, *scoring.memory)


def as_json(
    entries: Sequence[Entry],
    scorings: Mapping[str, Scoring] = _NO_SCORINGS,
    memories: Mapping[str, Sequence[Entry] | str] = _NO_MEMORIES,
) -> str:
    """Return the leaderboard as the text of its file."""
    board = leaderboard_of(entries, scorings, memories)
    return json.dumps(board, indent=1, sort_keys=True, ensure_ascii=True, allow_nan=False) + "\n"


def check_comparable(entries: Sequence[Entry]) -> None:
    """Raise UserError, with the field that differs, where two entries were not made under the same conditions."""
    first = entries[0]
    for other in entries[1:]:
        for field, one, another in _conditions(first, other):
            if one != another:
                raise UserError(
                    f"{first.mapper.name} and {other.mapper.name} cannot be compared: their {field} differ "
                    f"({_short(one)} and {_short(another)})."
                )


def _conditions(first: Entry, other: Entry) -> Iterator[tuple[str, object, object]]:
    """Yield the name and the two values of each condition in which entries have to agree."""
    tasks = [{cell.task for cell in entry.cells} for entry in (first, other)]
    both = tasks[0] & tasks[1]
    yield "suites", first.suite.hash, other.suite.hash
    yield "cells that enter no score", first.headline.left_out, other.headline.left_out
    if first.headline.reason is None and other.headline.reason is None:  # parts of a suite are not ranked
        yield "tasks", sorted(tasks[0]), sorted(tasks[1])
    yield "versions of tasks", _versions(first, both), _versions(other, both)
    yield "judges", _judges(first, both), _judges(other, both)
    yield "datasets", _datasets(first, both), _datasets(other, both)
    yield "dtypes", first.environment.get("dtype"), other.environment.get("dtype")


def _versions(entry: Entry, tasks: Set[str]) -> list[tuple[str, int]]:
    return sorted({(cell.task, cell.task_version) for cell in entry.cells if cell.task in tasks})


def _judges(entry: Entry, tasks: Set[str]) -> dict[str, dict[str, str]]:
    return {task: judges for task, judges in entry.judges.items() if task in tasks}


def _datasets(entry: Entry, tasks: Set[str]) -> dict[str, str]:
    """Return the datasets of some tasks; entries of former versions name none, and knew one."""
    named = {task: entry.datasets.get(task, _FORMER_DATASET) for task in sorted(tasks)}
    return named | {task: dataset for task, dataset in entry.datasets.items() if task == "general"}


def _short(value: object) -> str:
    words = str(value)
    return words if len(words) <= 80 else f"{words[:77]}..."


def _rows(scores: Sequence[Scored], scoring: Scoring, number: str) -> list[dict[str, Any]]:
    """Return the rows of one number: mappers by score, then controls by score."""
    ranked = [score for score in scores if score.score.score is not None and not is_control(score.entry, scoring)]
    ranges = dict(zip(map(id, ranked), ranks([s.pooled for s in ranked], [s.bits for s in ranked]), strict=True))
    rows = [_row(score, ranges.get(id(score)), scoring, number) for score in scores]
    return sorted(rows, key=lambda row: (row["control"], row["score"] is None, -(row["score"] or 0.0), row["mapper"]))


def _row(score: Scored, rank: Rank | None, scoring: Scoring, number: str) -> dict[str, Any]:
    mapper = score.entry.mapper
    by = {
        "by_behaviour": score.by(scoring.behaviour),
        "by_task": score.by(lambda cell: cell.task),
        "by_pair": score.by(lambda cell: cell.pair),
    }
    refit = of_refit(score.cells, score.pooling, score.counted)
    by |= {"by_track": score.by(lambda cell: cell.track)} if number == CARRIED else {}
    return {
        "mapper": mapper.name,
        "sha256": mapper.sha256,
        "control": is_control(score.entry, scoring),
        "rank": None if rank is None else [rank.best, rank.worst],
        **score.score.model_dump(),
        **by,
        "norms": norms(score.cells, score.pooling, score.counted),
        **({} if refit is None else {"shuffled": refit.model_dump()}),
    }


def _mapper(entry: Entry, pooling: Pooling) -> dict[str, Any]:
    """Return what stands beside the scores of a mapper: what it is, and further outcomes on each track."""
    cells = [cell for cell in entry.cells if not cell.check]
    tracks = sorted({cell.track for cell in cells})
    return {
        "mapper": entry.mapper.name,
        "sha256": entry.mapper.sha256,
        "options": entry.mapper.options,
        **({"rejudged": entry.rejudged} if entry.rejudged else {}),  # another judge chose its strengths
        "tracks": {track: _track([c for c in cells if c.track == track], entry, pooling) for track in tracks},
    }


def _track(cells: Sequence[CellResult], entry: Entry, pooling: Pooling) -> dict[str, Any]:
    whole = all(cell.status == "ok" for cell in cells)
    counted = [cell for cell in cells if whole and counts(cell, entry.headline.left_out) and "mapped" in cell.bits]
    return {
        "n_steerable": sum(bool(cell.steerable) for cell in cells),
        "n_cells": len(cells),
        "outcomes": graded(by_place(counted), pooling),
        "side_effects": side_effects(cells),
        "fidelity": fidelity(cells),
        "cost": cost(cells),
    }
