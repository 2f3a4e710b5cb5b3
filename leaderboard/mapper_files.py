"""Which mapper an entry is of: the one that comes with this package, a file, or what was fitted, as hashes tell."""

from collections.abc import Sequence
from pathlib import Path

from graftbench.benchmark.errors import UserError
from graftbench.benchmark.identity import sha256_of, submission_hash
from graftbench.benchmark.mappers.finding import MapperSpec, find, spec_of
from graftbench.benchmark.mappers.sources import SOURCE, check_files, copy_files
from graftbench.benchmark.plugins import comes_with

from .declared import declared_apart
from .entries import file_name
from .plain_files import names_in, plain_files
from .schema import Entry, MapperRecord

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
