"""Which mapper an entry is of: the one that comes with this package, a file, or what was fitted, as hashes tell."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.files import sha256_of
from graftbench.benchmark.core.plugins import comes_with
from graftbench.benchmark.mappers.loading import (
    SOURCE,
    MapperSpec,
    check_files,
    copy_files,
    find,
    spec_of,
    submission_hash,
)
from graftbench.benchmark.results.schema import Entry, MapperRecord
from graftbench.leaderboard.entries import file_name
from graftbench.leaderboard.source_check import declared_apart

MAPPERS = "mappers"  # the folder in a leaderboard's, and in a run's
_FITTED = (".safetensors", ".json")


def mapper_apart(entry: Entry) -> list[str]:
    """Where an entry's mapper is not the one that it says it is; nothing of a submission is run for that."""
    mapper = entry.mapper
    if mapper.files or ":" in mapper.source:
        path, _, name = mapper.source.rpartition(":")
        files = list(mapper.files.items())
        if len(files) != 1 or Path(path).name != files[0][0] or submission_hash(name, files[0][1]) != mapper.sha256:
            return [f"the hash of {mapper.name} is not that of the class {name!r} in its file"]
        return []
    if not comes_with("mappers", mapper.source):
        return []
    found = find(MapperSpec(mapper.source))
    told = (mapper.name, mapper.sha256, mapper.deterministic, mapper.vector_rule)
    if told != (found.name, found.sha256, found.deterministic, found.vector_rule):
        return [f"it is not of the mapper {mapper.source} that comes with this graftbench: score it again"]
    return _options_apart(mapper)


def _options_apart(mapper: MapperRecord) -> list[str]:
    """Where a mapper that comes with this package does not take the options of an entry."""
    try:
        taken = dict(spec_of(mapper.source, [f"{name}={value}" for name, value in mapper.options.items()]).options)
    except UserError as error:
        return [str(error).rstrip(".")]
    told = {name: (type(value), value) for name, value in mapper.options.items()}
    return [
        f"the option {name} of {mapper.source} should be of type {type(value).__name__}, as {value!r} is"
        for name, value in taken.items()
        if told.get(name) != (type(value), value)
    ]


def source_apart(entry: Entry, run: Path) -> list[str]:
    """Where an entry says of a mapper in a file what that file, as it lies in a run's folder, does not say.

    UserError where the file is another one.
    """
    check_files(entry.mapper.files, run / SOURCE)
    return declared_apart(entry.mapper, run / SOURCE) if entry.mapper.files else []


def kept_apart(entry: Entry, folder: Path) -> list[str]:
    """Where a mapper as a leaderboard keeps it, in a folder of its own, is not that of its entry."""
    mapper = entry.mapper
    if not mapper.files and not mapper.fitted and not comes_with("mappers", mapper.source):
        return [f"{mapper.source} does not come with this graftbench, and neither its file nor what was fitted is kept"]
    wrong = files_apart(entry, folder)
    return wrong if wrong or not mapper.files else declared_apart(mapper, folder)


def files_apart(entry: Entry, folder: Path) -> list[str]:
    """Which files of a mapper are not those of its entry, in a leaderboard's folder of it."""
    wanted = entry.mapper.files | entry.mapper.fitted
    there, others = plain_files(folder)
    wrong = [name for name in wanted if name not in there or sha256_of(there[name]) != wanted[name]]
    more = [*sorted(there.keys() - wanted.keys()), *others]
    return [f"{folder / name} is not the file that was scored" for name in wrong] + [
        f"{folder / name} belongs to no entry" for name in more
    ]


def belongs_to_none(folder: Path, entries: Sequence[Entry]) -> list[str]:
    """What a leaderboard keeps beside the mappers of its entries; what lies among their files is told with them."""
    top = folder / MAPPERS
    if top.is_symlink():
        return [f"{top} is a link, and no folder"]
    own = {file_name(entry).removesuffix(".json") for entry in entries}
    return [f"{top / name} belongs to no entry" for name in sorted(names_in(top) - own)]


def with_fitted(entry: Entry, run: Path) -> Entry:
    """The entry with the hashes of what was fitted, where an installed package brings the mapper."""
    mapper = entry.mapper
    own = bool(mapper.files) or comes_with("mappers", mapper.source)
    fitted = {} if own else _fitted_in(run / MAPPERS)
    if not own and not fitted:
        raise UserError(f"{run / MAPPERS} holds no fitted mapper, and {mapper.name} does not come with this.")
    if mapper.fitted not in ({}, fitted):
        raise UserError(f"{run / 'entry.json'} names other fitted files than {run / MAPPERS} holds.")
    return entry.model_copy(update={"mapper": mapper.model_copy(update={"fitted": fitted})})


def _fitted_in(folder: Path) -> dict[str, str]:
    files, _ = plain_files(folder)
    return {name: sha256_of(path) for name, path in sorted(files.items()) if path.suffix in _FITTED}


def keep_mapper(entry: Entry, run: Path, to: Path) -> None:
    """Keep the source of a mapper in a file, or what was fitted, in a folder that is not there yet."""
    copy_files(entry.mapper.files, run / SOURCE, to)
    copy_files(entry.mapper.fitted, run / MAPPERS, to)


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
