"""What changed in a leaderboard since another revision of it, row by row and file by file."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from graftbench.benchmark.errors import UserError

Board = Mapping[str, Any]
GONE, NEW = "is gone", "is new"


def told_against(revision: str, folder: Path) -> list[str]:
    """What changed since a revision of the leaderboard's git repository: rows, then files, then cells of entries.

    UserError where the revision has no leaderboard of this folder, or one of both cannot be read.
    """
    after = _board((folder / "leaderboard.json").read_bytes() if (folder / "leaderboard.json").exists() else b"")
    before = _board(_git(folder, "show", "--end-of-options", f"{revision}:./leaderboard.json"))
    if before is None or after is None:
        where = folder if after is None else f"{folder} at {revision}"
        raise UserError(f"There is no leaderboard.json in {where} that can be read.")
    told = list(changes(before, after)) or [f"No row is other than at {revision}."]
    return [*told, *_files(revision, folder)]


def _board(raw: bytes) -> Board | None:
    try:
        board = json.loads(raw)
    except ValueError:
        return None
    return board if isinstance(board, dict) and isinstance(board.get("tracks"), dict) else None


def _git(folder: Path, *words: str) -> bytes:
    """What git says; nothing where it cannot."""
    command = ["git", "-C", str(folder), *words]
    try:
        return subprocess.run(command, capture_output=True, check=True).stdout  # noqa: S603 (words are arguments)
    except (OSError, subprocess.CalledProcessError):
        return b""


def _files(revision: str, folder: Path) -> Iterator[str]:
    """The files of entries and mappers that are other, and of entries which cells."""
    for place in ("entries", "mappers"):
        listed = _git(
            folder, "ls-tree", "--full-tree", "-r", "-z", "--name-only", "--end-of-options", f"{revision}:./{place}"
        )
        before = {name for name in listed.decode(errors="replace").split("\0") if name}
        after = {p.relative_to(folder / place).as_posix() for p in (folder / place).rglob("*") if p.is_file()}
        for name in sorted(before | after):
            if name not in after:
                yield f"{place}/{name} {GONE}"
            elif name not in before:
                yield f"{place}/{name} {NEW}"
            else:
                old = _git(folder, "show", "--end-of-options", f"{revision}:./{place}/{name}")
                new = (folder / place / name).read_bytes()
                if old != new:
                    yield f"{place}/{name} is other{_lines(old, new) if place == 'entries' else ''}"


def _lines(old: bytes, new: bytes) -> str:
    """How many lines are other: an entry has one for each cell, and one for each thing that is said of all of it."""
    lines = new.splitlines()
    return f" in {len(set(lines) - set(old.splitlines()))} of {len(lines)} lines, a line for each cell"


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
    return f"rank {row['rank']}, {row['score']:z.1f} ({row['low']:z.1f} to {row['high']:z.1f})"


def _more(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """What else is other than rank and score."""
    other = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
    rest = [name for name in other if name not in ("rank", "score", "low", "high")]
    return f"; other: {', '.join(rest)}" if rest else ""
