"""Entries as files: read with suspicion, for they come from anybody."""

from pathlib import Path

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.files import is_folder
from graftbench.benchmark.results.schema import Entry


def entry_files(folder: Path) -> list[Path]:
    """The files of all entries of a leaderboard; UserError where there are none."""
    place = folder / "entries"
    found = sorted(place.glob("*.json")) if is_folder(place) else []
    if not found:
        raise UserError(
            f"{place} holds no entry: `graftbench submit RUN` adds one; --leaderboard names another folder."
        )
    return found


def file_name(entry: Entry) -> str:
    """The name of an entry's file: mapper, the beginning of its source's hash, suite."""
    return f"{entry.mapper.name}-{entry.mapper.sha256[:8]}-{entry.suite.hash[:8]}.json"
