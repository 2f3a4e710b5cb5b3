"""What git knows of a leaderboard's folder at another revision: its files as they were, and which are others now."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

from graftbench.benchmark.errors import UserError

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
