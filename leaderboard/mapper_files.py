"""Mapper of an entry: built in, a submitted source file, or fitted by an installed package; checked by hashes."""

import os
from collections.abc import Iterator, Sequence, Set
from pathlib import Path

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.hashing import sha256_of
from graftbench.benchmark.core.plugins import is_builtin
from graftbench.benchmark.mappers.info import describe, submission_hash
from graftbench.benchmark.mappers.loading import SOURCE, check_files, copy_files
from graftbench.benchmark.results.schema import Entry, MapperRecord
from graftbench.benchmark.runs.folder import ENTRY, MAPPERS
from graftbench.leaderboard.entries import file_name
from graftbench.leaderboard.installed import mapper_statement
from graftbench.leaderboard.source_check import source_mismatches

MAX_FILES = 5000  # and folders, in a folder: a fitted mapper has two files for each cell
_FITTED = (".safetensors", ".json")


def identity_mismatches(entry: Entry) -> list[str]:
    """Return where an entry's mapper is not the one it claims to be; no submitted code is run."""
    mapper = entry.mapper
    if mapper.files or ":" in mapper.source:
        return _submission_mismatches(mapper)
    if not is_builtin("mappers", mapper.source):
        return []
    claimed = (mapper.name, mapper.sha256, mapper.deterministic, mapper.vector_rule)
    if claimed != mapper_statement(mapper.source):
        return [f"it is not of the mapper {mapper.source} that comes with this graftbench: score it again"]
    return _option_mismatches(mapper) if mapper.options else []


def _submission_mismatches(mapper: MapperRecord) -> list[str]:
    """Return where the hash of a submission does not follow from its one file and its class."""
    path, _, name = mapper.source.rpartition(":")
    files = list(mapper.files.items())
    if len(files) != 1 or Path(path).name != files[0][0] or submission_hash(name, files[0][1]) != mapper.sha256:
        return [f"the hash of {mapper.name} is not that of the class {name!r} in its file"]
    return []


def _option_mismatches(mapper: MapperRecord) -> list[str]:
    """Return where a built-in mapper does not take the options of an entry."""
    try:
        accepted = describe(mapper.source, mapper.options).options
    except UserError as error:
        return [str(error).rstrip(".")]
    stated = {name: (type(value), value) for name, value in mapper.options.items()}
    return [
        f"the option {name} of {mapper.source} should be of type {type(value).__name__}, as {value!r} is"
        for name, value in accepted.items()
        if stated.get(name) != (type(value), value)
    ]


def run_source_mismatches(entry: Entry, run: Path) -> list[str]:
    """Return where an entry contradicts the source file in its run's folder; UserError where that file is another."""
    check_files(entry.mapper.files, run / SOURCE)
    return source_mismatches(entry.mapper, run / SOURCE) if entry.mapper.files else []


def stored_mapper_mismatches(entry: Entry, folder: Path) -> list[str]:
    """Return where the mapper in a leaderboard's folder is not that of its entry."""
    mapper = entry.mapper
    if not mapper.files and not mapper.fitted and not is_builtin("mappers", mapper.source):
        return [f"{mapper.source} is not built in, and neither its file nor the fitted mapper is stored"]
    mismatches = file_mismatches(entry, folder)
    return mismatches if mismatches or not mapper.files else source_mismatches(mapper, folder)


def file_mismatches(entry: Entry, folder: Path) -> list[str]:
    """Return which files in the folder of an entry's mapper are changed, missing, or not the entry's."""
    expected = entry.mapper.files | entry.mapper.fitted
    present, others = plain_files(folder)
    changed = [name for name in expected if name not in present or sha256_of(present[name]) != expected[name]]
    strays = [*sorted(present.keys() - expected.keys()), *others]
    return [f"{folder / name} is not the file that was scored" for name in changed] + [
        f"{folder / name} belongs to no entry" for name in strays
    ]


def stray_mappers(folder: Path, entries: Sequence[Entry]) -> list[str]:
    """Return which folders of mappers in a leaderboard belong to no entry."""
    return strays(folder / MAPPERS, {file_name(entry).removesuffix(".json") for entry in entries})


def strays(top: Path, expected: Set[str]) -> list[str]:
    """Return what is in a folder of a leaderboard and is not expected there, in one sentence each."""
    if top.is_symlink():
        return [f"{top} is a link, and no folder"]
    return [f"{top / name} belongs to no entry" for name in sorted(_names_in(top) - expected)]


def with_fitted(entry: Entry, run: Path) -> Entry:
    """Return the entry with the hashes of the fitted mapper, where an installed package brings the mapper."""
    mapper = entry.mapper
    has_source = bool(mapper.files) or is_builtin("mappers", mapper.source)
    fitted = {} if has_source else _fitted_in(run / MAPPERS)
    if not has_source and not fitted:
        raise UserError(f"{run / MAPPERS} holds no fitted mapper, and {mapper.name} does not come with graftbench.")
    if mapper.fitted not in ({}, fitted):
        raise UserError(f"{run / ENTRY} names other fitted files than {run / MAPPERS} holds.")
    return entry.model_copy(update={"mapper": mapper.model_copy(update={"fitted": fitted})})


def _fitted_in(folder: Path) -> dict[str, str]:
    files, _ = plain_files(folder)
    return {name: sha256_of(path) for name, path in sorted(files.items()) if path.suffix in _FITTED}


def copy_mapper(entry: Entry, run: Path, to: Path) -> None:
    """Copy the source file of a mapper, or the fitted mapper, to a folder that does not exist yet."""
    copy_files(entry.mapper.files, run / SOURCE, to)
    copy_files(entry.mapper.fitted, run / MAPPERS, to)


def plain_files(folder: Path) -> tuple[dict[str, Path], list[str]]:
    """Return the plain files below a folder by name, and the names of links, pipes and the like; both may be empty.

    UserError where there are too many, or the folder cannot be read.
    """
    if not os.path.lexists(folder):
        return {}, []
    if folder.is_symlink() or not folder.is_dir():
        return {}, ["."]
    files = {Path(file).relative_to(folder).as_posix(): file for file in _files_below(folder)}
    plain = {name: Path(file) for name, file in files.items() if file.is_file(follow_symlinks=False)}
    return plain, sorted(files.keys() - plain.keys())


def _names_in(folder: Path) -> set[str]:
    """Return the names in a folder; none where it does not exist, UserError where it cannot be read."""
    return {item.name for item in _items_in(folder)} if os.path.lexists(folder) else set()


def _files_below(folder: Path) -> Iterator["os.DirEntry[str]"]:
    """Yield everything below a folder but the folders; links are not followed."""
    n, folders = 0, [folder]
    while folders:
        for item in _items_in(folders.pop()):
            n += 1
            if n > MAX_FILES:
                raise UserError(
                    f"{folder} holds more than {MAX_FILES} files and folders: take out what belongs elsewhere."
                )
            if item.is_dir(follow_symlinks=False):
                folders.append(Path(item))
            else:
                yield item


def _items_in(folder: Path) -> Iterator["os.DirEntry[str]"]:
    try:
        with os.scandir(folder) as items:
            yield from items
    except OSError as error:
        raise UserError(f"{folder} cannot be read: {error.strerror}.") from error
