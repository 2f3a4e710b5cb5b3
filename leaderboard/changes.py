"""Changes of a leaderboard since another revision of it, row by row in each suite, and file by file."""

import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.names import Count, Figure, Line, Sha256, Word
from graftbench.benchmark.results.entry_files import MAX_ENTRY_BYTES, read_bytes
from graftbench.benchmark.runs.folder import LEADERBOARD
from graftbench.leaderboard.columns import rank_range
from graftbench.leaderboard.entries import SHORT_HASH

_PLAIN = ("-z", "--relative", "--no-renames", "--no-ext-diff", "--no-textconv")  # whatever the user's settings are
_CHANGES = {
    "A": "is new",
    "D": "is gone",
    "M": "changed",
    "T": "became a link, or is no longer one",
    "U": "is not merged",
}


def tree_of(revision: str, folder: Path) -> str | None:
    """Return the id of the tree of a revision; None where there is no such revision."""
    tree = _git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{tree}}")
    return tree.decode().strip() if tree else None


def file_at(tree: str, folder: Path, name: str, max_bytes: int) -> bytes | None:
    """Return a file of the folder in a tree; None where it is missing or larger than `max_bytes`."""
    size = _git(folder, "cat-file", "-s", f"{tree}:./{name}")
    return _git(folder, "cat-file", "blob", f"{tree}:./{name}") if size and int(size) <= max_bytes else None


def changed_files(tree: str, folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the name and the change of each file that is new, gone or changed; ignored files are left out."""
    status = _fields(folder, "diff", *_PLAIN, "--name-status", tree, "--", ".")
    lines = dict(_line_counts(_fields(folder, "diff", *_PLAIN, "--numstat", tree, "--", ".")))
    changes = {name: _CHANGES.get(kind, "changed") for kind, name in zip(status[::2], status[1::2], strict=True)}
    changes |= {name: f"{changes[name]}{n}" for name, n in lines.items() if changes[name] == _CHANGES["M"]}
    for name in _fields(folder, "ls-files", "-z", "--others", "--exclude-standard", "--", "."):
        changes[name] = "is here, but no longer in git" if name in changes else _CHANGES["A"]
    yield from sorted(changes.items())


def _line_counts(fields: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the name of each file with the lines added and removed; nothing for binary files."""
    for field in fields:
        added, removed, name = field.split("\t", 2)
        if added == removed == "0":
            yield name, ": its mode only"
        elif added != "-":
            yield name, f": {added} lines added, {removed} removed"


def _fields(folder: Path, *words: str) -> list[str]:
    """Return the fields that git lists; UserError where it fails, for an empty list would look like no change."""
    output = _git(folder, *words)
    if output is None:
        raise UserError(f"git cannot list the changed files of {folder}.")
    return [field.decode(errors="surrogateescape") for field in output.split(b"\0") if field]


def _git(folder: Path, *words: str) -> bytes | None:
    """Return the output of git; None where it fails."""
    command = ["git", "-C", str(folder), *words]
    try:
        return subprocess.run(command, capture_output=True, check=True).stdout  # noqa: S603 (words are arguments)
    except (OSError, subprocess.CalledProcessError):
        return None


_FIGURES = ("score", "low", "high")
_STANDING = ("rank", *_FIGURES)


class _Row(BaseModel):
    """One mapper with one of the two numbers of a suite."""

    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False)

    mapper: Word
    sha256: Sha256
    rank: tuple[Count, Count] | None
    score: Figure | None
    low: Figure | None
    high: Figure | None
    reason: Line | None

    @model_validator(mode="after")
    def _all_or_nothing(self) -> Self:
        if len({getattr(self, name) is None for name in _FIGURES}) > 1:
            raise ValueError("a row has a score and an interval, or neither")
        return self

    @property
    def standing(self) -> str:
        """Rank and score, or the reason why there is none."""
        if self.score is None:
            return f"without a score ({self.reason})"
        rank = "no rank" if self.rank is None else f"rank {rank_range(self.rank)}"
        return f"{rank}, {self.score:z.1f} ({self.low:z.1f} to {self.high:z.1f})"

    @property
    def fields(self) -> Mapping[str, Any]:
        """All fields of the row, including unknown ones."""
        return vars(self) | (self.model_extra or {})


Rows = Mapping[tuple[str, str, str, str], _Row]  # by suite, number, mapper and hash


class _Ranking(BaseModel):
    """The ranking of one suite, as far as it is compared."""

    scores: dict[Word, list[_Row]]

    @model_validator(mode="after")
    def _no_duplicates(self) -> Self:
        counts = Counter((number, row.mapper, row.sha256) for number, rows in self.scores.items() for row in rows)
        if counts and max(counts.values()) > 1:
            raise ValueError("a mapper has two rows with a number")
        return self


class _Board(BaseModel):
    """A leaderboard, as far as it is compared; one of a former version has no `scores`, and cannot be read."""

    suites: dict[Word, _Ranking]

    @property
    def rows(self) -> Rows:
        """All rows."""
        return {
            (suite, number, row.mapper, row.sha256): row
            for suite, ranking in self.suites.items()
            for number, rows in ranking.scores.items()
            for row in rows
        }


def changes_since(revision: str, folder: Path) -> list[str]:
    """Return a sentence for each change since a git revision: rows, then files.

    UserError where the revision has no leaderboard in this folder, or where one of the two cannot be read.
    """
    tree, old = tree_of(revision, folder), f"{folder} at {revision}"
    if tree is None:
        raise _unreadable(old)
    before = _rows(old, file_at(tree, folder, LEADERBOARD, MAX_ENTRY_BYTES))
    after = _rows(str(folder), read_bytes(folder / LEADERBOARD) if (folder / LEADERBOARD).exists() else None)
    rows = list(row_changes(before, after)) or [f"No row differs from {revision}."]
    return [*rows, *(f"{name} {change}" for name, change in changed_files(tree, folder) if name != LEADERBOARD)]


def _rows(where: str, raw: bytes | None) -> Rows:
    try:
        return _Board.model_validate_json(raw or b"").rows
    except ValidationError as error:
        raise _unreadable(where) from error


def _unreadable(where: str) -> UserError:
    return UserError(f"There is no {LEADERBOARD} in {where} that can be read.")


def row_changes(old: Rows, new: Rows) -> Iterator[str]:
    """Yield a sentence for each row that is new, gone or changed."""
    for key in sorted({*old, *new}):
        suite, number, mapper, sha256 = key
        name = f"{suite}, {number}: {mapper} ({sha256[:SHORT_HASH]})"
        if key not in old:
            yield f"{name} is new: {new[key].standing}"
        elif key not in new:
            yield f"{name} is gone: it was {old[key].standing}"
        elif old[key] != new[key]:
            others = _other_fields(old[key].fields, new[key].fields)
            yield f"{name}: {old[key].standing} became {new[key].standing}{others}"


def _other_fields(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Name the changed fields besides rank and score."""
    changed = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
    others = [name for name in changed if name not in _STANDING]
    return f"; also changed: {', '.join(others)}" if others else ""
