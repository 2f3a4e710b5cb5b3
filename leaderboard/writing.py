"""The leaderboard as a file: made from the entries alone, the same wherever it is made."""

from pathlib import Path

from graftbench.benchmark.files import write_text

from .build import as_json
from .verifying import BOARD, sound_entries


def build(folder: Path) -> Path:
    """Write a leaderboard from its entries, which are verified first."""
    path = folder / BOARD
    write_text(path, as_json(sound_entries(folder)))
    return path
