"""The files of a folder that anybody may have filled: links are not followed, and nothing but plain files is opened."""

import os
from collections.abc import Iterator
from pathlib import Path

from graftbench.benchmark.errors import UserError

MOST = 5000  # names in a folder: of what was fitted there are two files for each cell


def plain_files(folder: Path) -> tuple[dict[str, Path], list[str]]:
    """The plain files below a folder, by name, and the names of everything else there; none where it is not there.

    UserError where they are too many, or the folder cannot be read.
    """
    if not os.path.lexists(folder):
        return {}, []
    if folder.is_symlink() or not folder.is_dir():
        return {}, ["."]
    found = {Path(one).relative_to(folder).as_posix(): one for one in _below(folder)}
    plain = {name: Path(one) for name, one in found.items() if one.is_file(follow_symlinks=False)}
    return plain, sorted(found.keys() - plain.keys())


def names_in(folder: Path) -> set[str]:
    """The names in a folder; none where it is not there, UserError where it cannot be read."""
    return {one.name for one in _in(folder)} if os.path.lexists(folder) else set()


def _below(folder: Path) -> Iterator["os.DirEntry[str]"]:
    """Everything below a folder, folders aside."""
    seen, folders = 0, [folder]
    while folders:
        for one in _in(folders.pop()):
            seen += 1
            if seen > MOST:
                raise UserError(f"{folder} holds more than {MOST} files and folders: take out what belongs elsewhere.")
            if one.is_dir(follow_symlinks=False):
                folders.append(Path(one))
            else:
                yield one


def _in(folder: Path) -> Iterator["os.DirEntry[str]"]:
    try:
        with os.scandir(folder) as found:
            yield from found
    except OSError as error:
        raise UserError(f"{folder} cannot be read: {error.strerror}.") from error
