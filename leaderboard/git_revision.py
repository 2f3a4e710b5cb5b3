"""Files of a folder at a revision of its git repository, and which of them changed since."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

from graftbench.benchmark.core.errors import UserError

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
