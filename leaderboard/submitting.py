"""A run becomes an entry of a leaderboard, once it was found whole."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from graftbench.benchmark.errors import UserError
from graftbench.benchmark.files import write_text

from .build import check_comparable, leaderboard_of
from .checking import problems
from .entries import file_name, read_entries, read_entry
from .schema import Entry

TOLD = 5  # problems


def submit(run: Path, folder: Path) -> Path:
    """Add the entry of a run to a leaderboard; UserError, with nothing changed, where it is not whole.

    It has to follow from its own bits, to be of the whole suite, to be comparable with the entries that are there,
    and not to be another mapper of the same name.
    """
    entry = read_entry(run / "entry.json")
    check(entry, str(run))
    if entry.headline.reason is not None and not _control(entry):
        raise UserError(f"{run} has no score, for {entry.headline.reason.replace('_', ' ')}: it cannot be ranked.")
    path = folder / "entries" / file_name(entry)
    others = [other for other in _present(folder) if file_name(other) != path.name]
    for other in others:
        if (other.mapper.name, other.suite.hash) == (entry.mapper.name, entry.suite.hash):
            raise UserError(
                f"There is a mapper called {entry.mapper.name} already, of another source: give yours another `name`."
            )
    check_comparable([*others, entry])
    write_text(path, (run / "entry.json").read_text(encoding="utf-8"))
    return path


def check(entry: Entry, where: str) -> None:
    """UserError where an entry does not follow from its own bits."""
    found = problems(entry)
    if found:
        more = f", and {len(found) - TOLD} more" if len(found) > TOLD else ""
        raise UserError(f"{where} does not follow from its bits: {'; '.join(found[:TOLD])}{more}.")


def build(folder: Path) -> Path:
    """Write a leaderboard from its entries, which are checked first."""
    entries = read_entries(folder)
    for entry in entries:
        check(entry, file_name(entry))
    path = folder / "leaderboard.json"
    write_text(path, as_json(entries))
    return path


def as_json(entries: Sequence[Entry]) -> str:
    """The leaderboard as it is written, the same wherever it is."""
    found: dict[str, Any] = leaderboard_of(entries)
    return json.dumps(found, indent=1, sort_keys=True, ensure_ascii=True, allow_nan=False) + "\n"


def _present(folder: Path) -> list[Entry]:
    return [read_entry(path) for path in sorted((folder / "entries").glob("*.json"))]


def _control(entry: Entry) -> bool:
    """Whether it is a mapper without a direction, which has no score and shows that."""
    return entry.headline.reason == "zero_vector"
