"""A leaderboard from entries alone: who is surely better than whom, on each fit track."""

import json
from collections.abc import Iterator, Sequence, Set
from pathlib import Path
from typing import Any

import numpy as np

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.files import write_text
from graftbench.benchmark.metrics.statistics import Floats
from graftbench.benchmark.results.schema import SCHEMA_VERSION, CellResult, Entry
from graftbench.benchmark.results.scores import score_of, score_resamples
from graftbench.leaderboard.columns import cost, fidelity, side_effects

LOOKUP = "lookup"  # the control whose score on the `task` track shows how much of it is memory


def leaderboard_of(entries: Sequence[Entry]) -> dict[str, Any]:
    """For each fit track the mappers with rank and scores, best first; those without a score last, with the reason.

    The rank is one more than the number of mappers that are surely better: whose score is higher in 97.5 % of the
    resamples of the same prompts and draws. UserError where entries cannot be compared.
    """
    check_comparable(entries)
    tracks = sorted({track for entry in entries for track in entry.headline.by_track})
    return {
        "schema_version": SCHEMA_VERSION,
        "suites": sorted({entry.suite.hash for entry in entries}),
        "tracks": {track: _ranked(entries, track) for track in tracks},
    }


def as_json(entries: Sequence[Entry]) -> str:
    """The leaderboard as it is written."""
    return json.dumps(leaderboard_of(entries), indent=1, sort_keys=True, ensure_ascii=True, allow_nan=False) + "\n"


def write_leaderboard(path: Path, entries: Sequence[Entry]) -> None:
    """Write the leaderboard of some entries; UserError where they cannot be compared."""
    write_text(path, as_json(entries))


def check_comparable(entries: Sequence[Entry]) -> None:
    """UserError, with the field that differs, where two entries were not made under the same conditions."""
    first = entries[0]
    for other in entries[1:]:
        for field, one, another in _conditions(first, other):
            if one != another:
                raise UserError(
                    f"{first.mapper.name} and {other.mapper.name} cannot be compared: their {field} differ "
                    f"({_short(one)} and {_short(another)})."
                )


def _conditions(first: Entry, other: Entry) -> Iterator[tuple[str, object, object]]:
    """What two entries have to have alike: by name, what each of them has."""
    tasks = [{cell.task for cell in entry.cells} for entry in (first, other)]
    both = tasks[0] & tasks[1]
    yield "suites", first.suite.hash, other.suite.hash
    if first.headline.score is not None and other.headline.score is not None:  # parts of a suite are not ranked
        yield "tasks", sorted(tasks[0]), sorted(tasks[1])
    yield "versions of tasks", _versions(first, both), _versions(other, both)
    yield "judges", _judges(first, both), _judges(other, both)
    yield "dtypes", first.environment.get("dtype"), other.environment.get("dtype")


def _versions(entry: Entry, tasks: Set[str]) -> list[tuple[str, int]]:
    return sorted({(cell.task, cell.task_version) for cell in entry.cells if cell.task in tasks})


def _judges(entry: Entry, tasks: Set[str]) -> dict[str, dict[str, str]]:
    return {task: judges for task, judges in entry.judges.items() if task in tasks}


def _short(value: object) -> str:
    words = str(value)
    return words if len(words) <= 80 else f"{words[:77]}..."


def _ranked(entries: Sequence[Entry], track: str) -> list[dict[str, Any]]:
    here = [entry for entry in entries if track in entry.headline.by_track]
    ranked = [_on(entry, track) if entry.headline.by_track[track].score is not None else None for entry in here]
    ranks = _ranks(ranked)
    lookup = _lookup(here, track) if track == "task" else {}
    rows = [_row(entry, track) | {"rank": rank} | lookup for entry, rank in zip(here, ranks, strict=True)]
    return sorted(rows, key=lambda row: (row["rank"] is None, row["rank"], -(row["score"] or 0.0), row["mapper"]))


def _lookup(here: Sequence[Entry], track: str) -> dict[str, Any]:
    """What a look-up table scores, as a whole, by task and by pair: beside every score of the track."""
    for entry in here:
        if entry.mapper.source == LOOKUP:
            row = _row(entry, track)
            by = {name: {key: one["score"] for key, one in row[name].items()} for name in ("by_task", "by_pair")}
            return {"lookup": {"score": row["score"], **by}}
    return {"lookup": None, "lookup_reason": "there is no entry of lookup"}


def _ranks(cells: Sequence[list[CellResult] | None]) -> list[int | None]:
    """One more than the number of mappers that are surely better; those without a score have no rank."""
    scored = [None if these is None or (drawn := score_resamples(these)) is None else (these, drawn) for these in cells]
    there = [one for one in scored if one is not None]
    return [None if own is None else 1 + sum(_better(*other, *own) for other in there) for own in scored]


def _better(cells: list[CellResult], drawn: Floats, than: list[CellResult], own: Floats) -> bool:
    """Whether one mapper is surely better than another, on the same resamples of the prompts that both have."""
    if [cell.prompt_ids for cell in cells] == [cell.prompt_ids for cell in than]:
        return _surely(drawn, own)
    both = _on_shared(cells, than)
    return both is not None and _surely(*both)


def _surely(one: Floats, other: Floats) -> bool:
    return float(np.nanquantile(one - other, 0.025)) > 0


def _on_shared(one: list[CellResult], other: list[CellResult]) -> tuple[Floats, Floats] | None:
    """The resamples of two mappers over the prompts that both have in each cell; None where they have none."""
    shared: dict[tuple[str, str, str], set[str]] = {}
    for cell in (*one, *other):  # of every seed of both
        shared[_place(cell)] = shared.get(_place(cell), set(cell.prompt_ids)) & set(cell.prompt_ids)
    kept = [[_kept(cell, shared[_place(cell)]) for cell in cells] for cells in (one, other)]
    if any(cell.steerable and not cell.prompt_ids for cells in kept for cell in cells):
        return None
    first, second = (score_resamples(cells) for cells in kept)
    return None if first is None or second is None else (first, second)


def _place(cell: CellResult) -> tuple[str, str, str]:
    return cell.task, cell.variant, cell.pair


def _kept(cell: CellResult, shared: set[str]) -> CellResult:
    """A cell with these of its prompts alone."""
    at = [i for i, item in enumerate(cell.prompt_ids) if item in shared]
    return cell.model_copy(
        update={
            "prompt_ids": [cell.prompt_ids[i] for i in at],
            "clusters": [cell.clusters[i] for i in at],
            "bits": {name: [[draw[i] for i in at] for draw in draws] for name, draws in cell.bits.items()},
        }
    )


def _on(entry: Entry, track: str) -> list[CellResult]:
    return [cell for cell in entry.cells if cell.track == track]


def _row(entry: Entry, track: str) -> dict[str, Any]:
    about: dict[str, Any] = {"mapper": entry.mapper.name, "sha256": entry.mapper.sha256}
    about |= {"options": entry.mapper.options, "schema_version": entry.schema_version}
    about |= {"rejudged": entry.rejudged} if entry.rejudged else {}  # another judge chose its strengths
    cells = [cell for cell in _on(entry, track) if not cell.check]
    return {
        **about,
        "suite": entry.suite.model_dump(),
        **entry.headline.by_track[track].model_dump(),
        "by_pair": _by_pair(cells),
        "side_effects": side_effects(cells),
        "fidelity": fidelity(cells),
        "cost": cost(cells),
    }


def _by_pair(cells: Sequence[CellResult]) -> dict[str, dict[str, Any]]:
    """The score of each task on each pair."""
    names = sorted({(cell.task, cell.pair) for cell in cells})
    found = {f"{t} {p}": score_of([cell for cell in cells if (cell.task, cell.pair) == (t, p)]) for t, p in names}
    return {
        name: {part: getattr(score, part) for part in ("score", "low", "high", "reason")}
        for name, score in found.items()
    }
