"""What changed in a leaderboard since another revision of it, row by row and file by file."""

import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.names import Count, Figure, Line, Sha256, Word
from graftbench.benchmark.results.entry_files import MOST_BYTES, read_bytes
from graftbench.leaderboard.verify import BOARD

_RANKED = ("rank", "score", "low", "high")


class _Row(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False)

    mapper: Word
    sha256: Sha256
    rank: Count | None
    score: Figure | None
    low: Figure | None
    high: Figure | None
    reason: Line | None

    @model_validator(mode="after")
    def _ranked_or_not(self) -> Self:
        if len({getattr(self, name) is None for name in _RANKED}) > 1:
            raise ValueError("a row has a rank, a score and an interval, or nothing of it")
        return self

    @property
    def standing(self) -> str:
        """Rank and score, or why there is none."""
        if self.score is None:
            return f"without a score ({self.reason})"
        return f"rank {self.rank}, {self.score:z.1f} ({self.low:z.1f} to {self.high:z.1f})"

    @property
    def fields(self) -> Mapping[str, Any]:
        """All that the row says, whatever else that is."""
        return vars(self) | (self.model_extra or {})


Rows = Mapping[tuple[str, str], _Row]  # by mapper and hash


class _Board(BaseModel):
    tracks: dict[Word, list[_Row]]

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        rows = Counter((track, row.mapper, row.sha256) for track, these in self.tracks.items() for row in these)
        if rows and max(rows.values()) > 1:
            raise ValueError("a mapper has two rows on a track")
        return self

    def rows(self, track: str) -> Rows:
        """The rows of a track."""
        return {(row.mapper, row.sha256): row for row in self.tracks.get(track, [])}


def told_against(revision: str, folder: Path) -> list[str]:
    """What changed since a revision of the leaderboard's git repository: rows, then files.

    UserError where the revision has no leaderboard of this folder, or one of both cannot be read.
    """
    tree, then = tree_of(revision, folder), f"{folder} at {revision}"
    if tree is None:
        raise _unreadable(then)
    before = _board(then, kept_at(tree, folder, BOARD, MOST_BYTES))
    after = _board(str(folder), read_bytes(folder / BOARD) if (folder / BOARD).exists() else None)
    told = list(changes(before, after)) or [f"No row is other than at {revision}."]
    return [*told, *(f"{name} {what}" for name, what in changed_files(tree, folder) if name != BOARD)]


def _board(where: str, raw: bytes | None) -> _Board:
    try:
        return _Board.model_validate_json(raw or b"")
    except ValidationError as error:
        raise _unreadable(where) from error


def _unreadable(where: str) -> UserError:
    return UserError(f"There is no {BOARD} in {where} that can be read.")


def changes(before: _Board, after: _Board) -> Iterator[str]:
    """Every row that is new, gone or other, in one sentence each."""
    for track in sorted({*before.tracks, *after.tracks}):
        old, new = before.rows(track), after.rows(track)
        for key in sorted({*old, *new}):
            name = f"{track}: {key[0]} ({key[1][:8]})"
            if key not in old:
                yield f"{name} is new: {new[key].standing}"
            elif key not in new:
                yield f"{name} is gone: it was {old[key].standing}"
            elif old[key] != new[key]:
                yield f"{name}: {old[key].standing} became {new[key].standing}{_more(old[key].fields, new[key].fields)}"


def _more(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """What else is other than rank and score."""
    other = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
    rest = [name for name in other if name not in _RANKED]
    return f"; other: {', '.join(rest)}" if rest else ""


_PLAIN = ("-z", "--relative", "--no-renames", "--no-ext-diff", "--no-textconv")  # whatever the user's settings are
_TOLD = {
    "A": "is new",
    "D": "is gone",
    "M": "is other",
    "T": "is of another kind: a link, or none any more",
    "U": "is not merged",
}


def tree_of(revision: str, folder: Path) -> str | None:
    """What git calls all files of a revision; None where there is no such revision."""
    found = _asked(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{tree}}")
    return found.decode().strip() if found else None


def kept_at(tree: str, folder: Path, name: str, most: int) -> bytes | None:
    """A file of the folder as it was; None where it was not there, or was larger than `most` bytes."""
    size = _asked(folder, "cat-file", "-s", f"{tree}:./{name}")
    return _asked(folder, "cat-file", "blob", f"{tree}:./{name}") if size and int(size) <= most else None


def changed_files(tree: str, folder: Path) -> Iterator[tuple[str, str]]:
    """Every file of the folder that is new, gone or other, and which of both; what git is told to ignore aside."""
    status = _fields(folder, "diff", *_PLAIN, "--name-status", tree, "--", ".")
    lines = dict(_lines(_fields(folder, "diff", *_PLAIN, "--numstat", tree, "--", ".")))
    told = {name: _TOLD.get(kind, "is other") for kind, name in zip(status[::2], status[1::2], strict=True)}
    told |= {name: f"{told[name]}{more}" for name, more in lines.items() if told[name] == _TOLD["M"]}
    for name in _fields(folder, "ls-files", "-z", "--others", "--exclude-standard", "--", "."):
        told[name] = "is there, and git does not have it any more" if name in told else _TOLD["A"]
    yield from sorted(told.items())


def _lines(fields: list[str]) -> Iterator[tuple[str, str]]:
    """How many lines of each file are new and how many gone; nothing where it holds no lines."""
    for field in fields:
        new, gone, name = field.split("\t", 2)
        if new == gone == "0":
            yield name, ": its mode alone"
        elif new != "-":
            yield name, f": {new} lines are new, {gone} are gone"


def _fields(folder: Path, *words: str) -> list[str]:
    """What git lists; UserError where it cannot, for nothing would look like no change."""
    found = _asked(folder, *words)
    if found is None:
        raise UserError(f"git cannot say which files of {folder} are others.")
    return [field.decode(errors="surrogateescape") for field in found.split(b"\0") if field]


def _asked(folder: Path, *words: str) -> bytes | None:
    """What git says; None where it cannot."""
    command = ["git", "-C", str(folder), *words]
    try:
        return subprocess.run(command, capture_output=True, check=True).stdout  # noqa: S603 (words are arguments)
    except (OSError, subprocess.CalledProcessError):
        return None
