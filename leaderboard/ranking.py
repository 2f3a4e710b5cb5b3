"""Ranking of mappers from their entries alone: which is significantly better than which, by suite and fit track."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import combinations
from pathlib import Path
from typing import Any

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.files import write_text
from graftbench.benchmark.metrics.statistics import Floats, quantiles
from graftbench.benchmark.results.estimates import draws_of
from graftbench.benchmark.results.schema import SCHEMA_VERSION, CellResult, Entry
from graftbench.benchmark.results.scores import score_of, score_resamples
from graftbench.leaderboard.columns import cost, fidelity, side_effects
from graftbench.leaderboard.entries import by_suite

Experiment = tuple[str, str, str]  # task, variant, pair
_FORMER_DATASET = "pocket/1"
LOOKUP = "lookup"  # the nearest-neighbour control, whose score is reported with every score of the `task` track


def leaderboard_of(entries: Sequence[Entry]) -> dict[str, Any]:
    """Return the ranking of each suite by its name; UserError where entries of one suite cannot be compared."""
    suites = {name: ranking_of(ours) for name, ours in by_suite(entries).items()}
    return {"schema_version": SCHEMA_VERSION, "suites": suites}


def ranking_of(entries: Sequence[Entry]) -> dict[str, Any]:
    """Rank the mappers of one suite on each fit track, best first; those without a score come last, with the reason.

    The rank is one more than the number of mappers that are significantly better: whose score is higher in 97.5 % of
    paired bootstrap resamples of prompts and draws. Comparisons are not corrected for their number. UserError where
    entries cannot be compared.
    """
    check_comparable(entries)
    tracks = sorted({track for entry in entries for track in entry.headline.by_track})
    return {"hash": entries[0].suite.hash, "tracks": {track: _ranked(entries, track) for track in tracks}}


def as_json(entries: Sequence[Entry]) -> str:
    """Return the leaderboard as the text of its file."""
    return json.dumps(leaderboard_of(entries), indent=1, sort_keys=True, ensure_ascii=True, allow_nan=False) + "\n"


def write_leaderboard(path: Path, entries: Sequence[Entry]) -> None:
    """Write the leaderboard of some entries; UserError where they cannot be compared."""
    write_text(path, as_json(entries))


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
    if first.headline.score is not None and other.headline.score is not None:  # parts of a suite are not ranked
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


def _ranked(entries: Sequence[Entry], track: str) -> list[dict[str, Any]]:
    on_track = [entry for entry in entries if track in entry.headline.by_track]
    scored = [
        _cells_on(entry, track) if entry.headline.by_track[track].score is not None else None for entry in on_track
    ]
    lookup = _lookup(on_track, track) if track == "task" else {}
    rows = [_row(entry, track) | {"rank": rank} | lookup for entry, rank in zip(on_track, _ranks(scored), strict=True)]
    return sorted(rows, key=lambda row: (row["rank"] is None, row["rank"], -(row["score"] or 0.0), row["mapper"]))


def _lookup(on_track: Sequence[Entry], track: str) -> dict[str, Any]:
    """Return the score of the look-up table, by task and by pair, for every row of the track."""
    for entry in on_track:
        if entry.mapper.source == LOOKUP:
            row = _row(entry, track)
            by = {name: {key: one["score"] for key, one in row[name].items()} for name in ("by_task", "by_pair")}
            return {"lookup": {"score": row["score"], **by}}
    return {"lookup": None, "lookup_reason": "there is no entry of lookup"}


@dataclass(frozen=True)
class _Scored:
    """The cells of one mapper, and its score in every resample [resamples]."""

    cells: list[CellResult]
    scores: Floats

    @cached_property
    def prompts(self) -> dict[Experiment, tuple[tuple[str, ...], ...]]:
        """The prompts of each experiment, once where all seeds have the same."""
        of: dict[Experiment, dict[tuple[str, ...], None]] = {}
        for cell in self.cells:
            of.setdefault(_experiment(cell), {})[_same_object(tuple(cell.prompt_ids))] = None
        return {experiment: tuple(prompts) for experiment, prompts in of.items()}

    @cached_property
    def same_in_all_seeds(self) -> bool:
        """True where the seeds of every experiment have the same prompts."""
        return all(len(prompts) == 1 for prompts in self.prompts.values())


@lru_cache(maxsize=2**10)
def _same_object(prompts: tuple[str, ...]) -> tuple[str, ...]:
    """Return the first tuple that was equal: comparing an object with itself takes no time."""
    return prompts


def _ranks(mappers: Sequence[list[CellResult] | None]) -> list[int | None]:
    """Return a rank for each mapper, given its cells; None for those without a score."""
    scored = {
        i: _Scored(cells, scores)
        for i, cells in enumerate(mappers)
        if cells is not None and (scores := score_resamples(cells)) is not None
    }
    better = Counter[int]()  # how many mappers are better than each
    for (i, one), (j, other) in combinations(scored.items(), 2):
        on_same = _scores_on_same(one, other)
        if on_same is not None:
            first, second = on_same
            better[i] += _significantly_higher(second, first)
            better[j] += _significantly_higher(first, second)
    return [1 + better[i] if i in scored else None for i in range(len(mappers))]


def _scores_on_same(one: _Scored, other: _Scored) -> tuple[Floats, Floats] | None:
    """Return the scores [resamples] of two mappers on the prompts that both have; None where they share none."""
    both = one.prompts.keys() & other.prompts.keys()
    if one.same_in_all_seeds and other.same_in_all_seeds and all(one.prompts[e] == other.prompts[e] for e in both):
        return one.scores, other.scores
    return _scores_on_shared(one.cells, other.cells)


def _significantly_higher(one: Floats, other: Floats) -> bool:
    """Return whether paired scores, each [resamples], are higher in 97.5 % of resamples."""
    return quantiles(one - other, [0.025], skip_nan=True)[0] > 0


def _scores_on_shared(one: list[CellResult], other: list[CellResult]) -> tuple[Floats, Floats] | None:
    """Resample the scores of two mappers on the prompts that both have in each cell; None where they share none."""
    shared: dict[Experiment, set[str]] = {}
    for cell in (*one, *other):  # of every seed of both
        shared[_experiment(cell)] = shared.get(_experiment(cell), set(cell.prompt_ids)) & set(cell.prompt_ids)
    reduced = [[_reduced(cell, shared[_experiment(cell)]) for cell in cells] for cells in (one, other)]
    if any(cell.steerable and not cell.prompt_ids for cells in reduced for cell in cells):
        return None
    first, second = (score_resamples(cells) for cells in reduced)
    return None if first is None or second is None else (first, second)


def _experiment(cell: CellResult) -> Experiment:
    return cell.task, cell.variant, cell.pair


def _reduced(cell: CellResult, items: set[str]) -> CellResult:
    """Return a cell with only some of its prompts."""
    kept = [i for i, item in enumerate(cell.prompt_ids) if item in items]
    if len(kept) == len(cell.prompt_ids):
        return cell
    return cell.model_copy(
        update={
            "prompt_ids": [cell.prompt_ids[i] for i in kept],
            "clusters": [cell.clusters[i] for i in kept],
            "bits": {name: draws_of(cell.bits, name).kept(kept) for name in cell.bits},
        }
    )


def _cells_on(entry: Entry, track: str) -> list[CellResult]:
    return [cell for cell in entry.cells if cell.track == track]


def _row(entry: Entry, track: str) -> dict[str, Any]:
    identity: dict[str, Any] = {"mapper": entry.mapper.name, "sha256": entry.mapper.sha256}
    identity |= {"options": entry.mapper.options, "schema_version": entry.schema_version}
    identity |= {"rejudged": entry.rejudged} if entry.rejudged else {}  # another judge chose its strengths
    cells = [cell for cell in _cells_on(entry, track) if not cell.check]
    return {
        **identity,
        "suite": entry.suite.model_dump(),
        **entry.headline.by_track[track].model_dump(),
        "by_pair": _by_pair(cells),
        "side_effects": side_effects(cells),
        "fidelity": fidelity(cells),
        "cost": cost(cells),
    }


def _by_pair(cells: Sequence[CellResult]) -> dict[str, dict[str, Any]]:
    """Return the score of each task on each pair."""
    names = sorted({(cell.task, cell.pair) for cell in cells})
    scores = {f"{t} {p}": score_of([cell for cell in cells if (cell.task, cell.pair) == (t, p)]) for t, p in names}
    return {
        name: {part: getattr(score, part) for part in ("score", "low", "high", "reason")}
        for name, score in scores.items()
    }
