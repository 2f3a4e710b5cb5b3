"""The leaderboard as a file: made from the entries alone, the same wherever it is made."""

import json
from collections.abc import Sequence
from pathlib import Path

from graftbench.benchmark.files import write_text

from .build import leaderboard_of
from .entries import file_name, read_entries
from .schema import Entry
from .submitting import check

BOARD = "leaderboard.json"


def build(folder: Path) -> Path:
    """Write a leaderboard from its entries, which are checked first."""
    entries = read_entries(folder)
    for entry in entries:
        check(entry, file_name(entry))
    path = folder / BOARD
    write_text(path, as_json(entries))
    return path


def as_json(entries: Sequence[Entry]) -> str:
    """The leaderboard as it is written."""
    return json.dumps(leaderboard_of(entries), indent=1, sort_keys=True, ensure_ascii=True, allow_nan=False) + "\n"
