"""A leaderboard from entries alone."""

from collections.abc import Sequence
from typing import Any

from .schema import SCHEMA_VERSION, Entry


def leaderboard_of(entries: Sequence[Entry]) -> dict[str, Any]:
    """The mappers with their scores, best first; those without a score last, with the reason."""
    rows = [_row(entry) for entry in entries]
    return {
        "schema_version": SCHEMA_VERSION,
        "suites": sorted({entry.suite.hash for entry in entries}),
        "rows": sorted(rows, key=lambda row: (row["score"] is None, -(row["score"] or 0.0), row["mapper"])),
    }


def _row(entry: Entry) -> dict[str, Any]:
    about = {"mapper": entry.mapper.name, "sha256": entry.mapper.sha256, "options": entry.mapper.options}
    return about | {"suite": entry.suite.model_dump()} | entry.headline.model_dump()
