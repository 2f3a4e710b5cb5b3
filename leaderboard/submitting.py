"""A run becomes an entry of a leaderboard, once it was found whole."""

from collections.abc import Sequence
from pathlib import Path

from graftbench.benchmark.errors import UserError
from graftbench.benchmark.files import write_text
from graftbench.benchmark.mappers.sources import SOURCE, copy_files, sha256_of
from graftbench.benchmark.plugins import comes_with

from .build import check_comparable
from .checking import problems
from .entries import entry_text, file_name, read_entry
from .rows import apart_from_rows
from .schema import Entry
from .shared import ground_apart
from .whole import SUITE, apart_from, read_suite_file

MAPPERS = "mappers"  # the folder in a leaderboard's, and in a run's
TOLD = 5  # problems


def submit(run: Path, folder: Path) -> Path:
    """Add the entry of a run to a leaderboard; UserError, with nothing changed, where it is not whole.

    It has to follow from its own rows and bits, to be of the whole suite, to be comparable with the entries that are
    there, and not to be another mapper of the same name.
    """
    entry = read_entry(run / "entry.json")
    if entry.headline.reason is not None and not without_direction(entry):
        raise UserError(f"{run} has no score, for {entry.headline.reason.replace('_', ' ')}: it cannot be ranked.")
    check(entry, str(run))
    refuse_where(f"{run} does not follow from its rows", apart_from_rows(entry, run / "rows.parquet"))
    suite = read_suite_file(run / SUITE)
    refuse_where(f"{run} is not the whole of its suite", apart_from(suite, entry))
    path = folder / "entries" / file_name(entry)
    others = [other for other in _present(folder) if not _same(other, entry)]
    _check_beside(entry, others)
    _keep_mapper(entry, run, folder / MAPPERS / path.stem)
    write_text(folder / SUITE, suite.model_dump_json(indent=1) + "\n")
    write_text(path, entry_text(entry))
    return path


def check(entry: Entry, where: str) -> None:
    """UserError where an entry does not follow from its own bits."""
    refuse_where(f"{where} does not follow from its bits", problems(entry))


def refuse_where(what: str, found: Sequence[str]) -> None:
    """UserError, in one sentence, where something was found."""
    if found:
        more = f", and {len(found) - TOLD} more" if len(found) > TOLD else ""
        raise UserError(f"{what}: {'; '.join(found[:TOLD])}{more}.")


def without_direction(entry: Entry) -> bool:
    """Whether it is a mapper that brings a vector of zero, which has no score and shows that."""
    return entry.headline.reason == "zero_vector"


def sources_apart(entry: Entry, folder: Path) -> list[str]:
    """Which files of a submitted mapper are not those that were scored, in a leaderboard's folder of it."""
    return [
        f"{folder / name} is not the file that was scored"
        for name, sha256 in entry.mapper.files.items()
        if not (folder / name).is_file() or sha256_of(folder / name) != sha256
    ]


def _check_beside(entry: Entry, others: Sequence[Entry]) -> None:
    """UserError where an entry cannot stand beside others."""
    for other in others:
        if other.mapper.name.casefold() == entry.mapper.name.casefold() and other.suite.hash == entry.suite.hash:
            raise UserError(
                f"There is a mapper called {other.mapper.name} already, of another source or with other options: "
                "give yours another `name`."
            )
    check_comparable([*others, entry])
    for other in others:
        what = f"{entry.mapper.name} and {other.mapper.name} cannot be compared"
        refuse_where(what, ground_apart(entry, other))


def _keep_mapper(entry: Entry, run: Path, to: Path) -> None:
    """Keep the source of a mapper in a file; of one that is installed from elsewhere what was fitted."""
    copy_files(entry.mapper.files, run / SOURCE, to)
    if entry.mapper.files or comes_with("mappers", entry.mapper.source):
        return
    fitted = sorted(path for path in (run / MAPPERS).rglob("*") if path.suffix in (".safetensors", ".json"))
    if not fitted:
        raise UserError(f"{run / MAPPERS} holds no fitted mapper, and {entry.mapper.name} does not come with this.")
    for path in fitted:
        where = path.relative_to(run / MAPPERS)
        copy_files({path.name: sha256_of(path)}, path.parent, to / where.parent)


def _same(one: Entry, other: Entry) -> bool:
    """Whether both are of one mapper, so that the newer takes the older's place."""
    return file_name(one) == file_name(other) and one.mapper.options == other.mapper.options


def _present(folder: Path) -> list[Entry]:
    return [read_entry(path) for path in sorted((folder / "entries").glob("*.json"))]
