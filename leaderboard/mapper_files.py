"""Which mapper an entry is of: the one that comes with this package, a file, or what was fitted, as hashes tell."""

from pathlib import Path

from graftbench.benchmark.errors import UserError
from graftbench.benchmark.identity import sha256_of, submission_hash
from graftbench.benchmark.mappers.finding import MapperSpec, find
from graftbench.benchmark.mappers.sources import SOURCE, copy_files
from graftbench.benchmark.plugins import comes_with

from .schema import Entry

MAPPERS = "mappers"  # the folder in a leaderboard's, and in a run's
_FITTED = (".safetensors", ".json")


def mapper_apart(entry: Entry) -> list[str]:
    """Where an entry's mapper is not the one that it says it is; nothing of a submission is run for that."""
    mapper = entry.mapper
    if mapper.files:
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
    return []


def kept_apart(entry: Entry, folder: Path) -> list[str]:
    """Which files of a mapper are not those of its entry, in a leaderboard's folder of it."""
    wanted = entry.mapper.files | entry.mapper.fitted
    there = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if not path.is_dir()}
    wrong = [name for name in wanted if name not in there or sha256_of(there[name]) != wanted[name]]
    more = sorted(there.keys() - wanted.keys())
    return [f"{folder / name} is not the file that was scored" for name in wrong] + [
        f"{folder / name} belongs to no entry" for name in more
    ]


def with_fitted(entry: Entry, run: Path) -> Entry:
    """The entry with the hashes of what was fitted, where an installed package brings the mapper."""
    if entry.mapper.files or comes_with("mappers", entry.mapper.source):
        return entry
    folder = run / MAPPERS
    fitted = {
        path.relative_to(folder).as_posix(): sha256_of(path)
        for path in sorted(folder.rglob("*"))
        if path.suffix in _FITTED and path.is_file()
    }
    if not fitted:
        raise UserError(f"{folder} holds no fitted mapper, and {entry.mapper.name} does not come with this.")
    return entry.model_copy(update={"mapper": entry.mapper.model_copy(update={"fitted": fitted})})


def keep_mapper(entry: Entry, run: Path, to: Path) -> None:
    """Keep the source of a mapper in a file, or what was fitted, in a leaderboard's folder of it, and nothing else."""
    copy_files(entry.mapper.files, run / SOURCE, to)
    copy_files(entry.mapper.fitted, run / MAPPERS, to)
    wanted = {to / name for name in entry.mapper.files | entry.mapper.fitted}
    for former in [path for path in to.rglob("*") if path.is_file() and path not in wanted]:
        former.unlink()
