"""What changed in a leaderboard since another revision of it, row by row."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from graftbench.benchmark.errors import UserError

Board = Mapping[str, Any]


def board_at(revision: str, folder: Path) -> Board:
    """The leaderboard in a folder as a revision of its git repository has it; UserError where there is none."""
    command = ["git", "-C", str(folder), "show", "--end-of-options", f"{revision}:./leaderboard.json"]
    try:
        done = subprocess.run(command, capture_output=True, check=True)  # noqa: S603 (the revision is one argument)
        board: Board = json.loads(done.stdout)
    except (OSError, subprocess.CalledProcessError, ValueError) as error:
        raise UserError(f"{revision} has no leaderboard of {folder} that can be read.") from error
    return board


def changes(before: Board, after: Board) -> Iterator[str]:
    """Every row that is new, gone or other, in one sentence each."""
    for track in sorted({*before["tracks"], *after["tracks"]}):
        old, new = (
            {(row["mapper"], row["sha256"]): row for row in board["tracks"].get(track, [])} for board in (before, after)
        )
        for key in sorted({*old, *new}):
            name = f"{track}: {key[0]} ({key[1][:8]})"
            if key not in old:
                yield f"{name} is new: {_standing(new[key])}"
            elif key not in new:
                yield f"{name} is gone: it was {_standing(old[key])}"
            elif old[key] != new[key]:
                yield f"{name}: {_standing(old[key])} became {_standing(new[key])}{_more(old[key], new[key])}"


def _standing(row: Mapping[str, Any]) -> str:
    if row["score"] is None:
        return f"without a score ({row['reason']})"
    return f"rank {row['rank']}, {row['score']:.1f} ({row['low']:.1f} to {row['high']:.1f})"


def _more(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """What else is other than rank and score."""
    other = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
    rest = [name for name in other if name not in ("rank", "score", "low", "high")]
    return f"; other: {', '.join(rest)}" if rest else ""
