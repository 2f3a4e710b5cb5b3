"""A leaderboard from entries alone: who is surely better than whom, on each fit track."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from graftbench.benchmark.errors import UserError
from graftbench.benchmark.headline import score_of, score_resamples

from .beside import cost, fidelity, side_effects
from .schema import SCHEMA_VERSION, Cell, Entry

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


def check_comparable(entries: Sequence[Entry]) -> None:
    """UserError, with the field that differs, where two entries were not made under the same conditions."""
    first = entries[0]
    for other in entries[1:]:
        for field, one, another in zip(_FIELDS, _conditions(first), _conditions(other), strict=True):
            if one != another:
                raise UserError(
                    f"{first.mapper.name} and {other.mapper.name} cannot be compared: their {field} differ "
                    f"({_short(one)} and {_short(another)})."
                )


_FIELDS = ("suites", "versions of tasks", "judges", "dtypes")


def _conditions(entry: Entry) -> tuple[object, ...]:
    versions = sorted({(cell.task, cell.task_version) for cell in entry.cells})
    return entry.suite.hash, versions, entry.judges, entry.environment.get("dtype")


def _short(value: object) -> str:
    words = str(value)
    return words if len(words) <= 80 else f"{words[:77]}..."


def _ranked(entries: Sequence[Entry], track: str) -> list[dict[str, Any]]:
    here = [entry for entry in entries if track in entry.headline.by_track]
    drawn = [score_resamples(_on(entry, track)) if _score(entry, track) is not None else None for entry in here]
    lookup = next((_score(entry, track) for entry in here if entry.mapper.name == LOOKUP), None)
    rows = [
        _row(entry, track) | {"rank": _rank(i, drawn)} | ({"lookup": lookup} if track == "task" else {})
        for i, entry in enumerate(here)
    ]
    return sorted(rows, key=lambda row: (row["rank"] is None, row["rank"], -(row["score"] or 0.0), row["mapper"]))


def _rank(i: int, drawn: Sequence["np.ndarray[Any, Any] | None"]) -> int | None:
    own = drawn[i]
    if own is None:
        return None
    return 1 + sum(float(np.quantile(other - own, 0.025)) > 0 for other in drawn if other is not None)


def _on(entry: Entry, track: str) -> list[Cell]:
    return [cell for cell in entry.cells if cell.track == track]


def _score(entry: Entry, track: str) -> float | None:
    return entry.headline.by_track[track].score


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


def _by_pair(cells: Sequence[Cell]) -> dict[str, dict[str, float | None]]:
    """The score of each task on each pair."""
    names = sorted({(cell.task, cell.pair) for cell in cells})
    found = {f"{t} {p}": score_of([cell for cell in cells if (cell.task, cell.pair) == (t, p)]) for t, p in names}
    return {name: {part: getattr(score, part) for part in ("score", "low", "high")} for name, score in found.items()}
