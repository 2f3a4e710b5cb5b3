"""A run becomes an entry of a leaderboard, once it was found whole."""

from collections.abc import Sequence
from pathlib import Path

from graftbench.benchmark.errors import UserError
from graftbench.benchmark.files import write_text

from .build import leaderboard_of
from .checking import problems
from .entries import entry_text, file_name, read_entry
from .mapper_files import MAPPERS, keep_mapper, mapper_apart, with_fitted
from .rows import apart_from_rows
from .schema import Entry
from .shared import beside_each_other
from .whole import SUITE, apart_from, read_suite_file

TOLD = 5  # problems


def submit(run: Path, folder: Path) -> Path:
    """Add the entry of a run to a leaderboard; UserError, with nothing changed, where it is not whole.

    It has to follow from its own rows and bits, to be of the whole suite, to be comparable with the entries that are
    there, and not to be another mapper of the same name.
    """
    entry = read_entry(run / "entry.json")
    if entry.headline.reason is not None and not _without_direction(entry):
        raise UserError(f"{run} has no score, for {entry.headline.reason.replace('_', ' ')}: it cannot be ranked.")
    refuse_where(f"{run} does not follow from its bits", problems(entry))
    refuse_where(f"{run} does not follow from its rows", apart_from_rows(entry, run / "rows.parquet"))
    suite = read_suite_file(run / SUITE)
    refuse_where(f"{run} is not the whole of its suite", apart_from(suite, entry))
    refuse_where(f"{run} cannot be submitted", mapper_apart(entry))
    entry = with_fitted(entry, run)
    path = folder / "entries" / file_name(entry)
    others = [other for other in _present(folder) if not _same(other, entry)]
    refuse_where(f"{run} cannot be submitted", beside_each_other([entry, *others]))
    leaderboard_of([*others, entry])  # before anything is written
    keep_mapper(entry, run, folder / MAPPERS / path.stem)
    write_text(folder / SUITE, suite.model_dump_json(indent=1) + "\n")
    write_text(path, entry_text(entry))
    return path


def refuse_where(what: str, found: Sequence[str]) -> None:
    """UserError, in one sentence, where something was found."""
    if found:
        more = f", and {len(found) - TOLD} more" if len(found) > TOLD else ""
        raise UserError(f"{what}: {'; '.join(found[:TOLD])}{more}.")


def _without_direction(entry: Entry) -> bool:
    """Whether it is a mapper that brings a vector of zero, which has no score and shows that."""
    return entry.headline.reason == "zero_vector"


def _same(one: Entry, other: Entry) -> bool:
    """Whether both are of one mapper, so that the newer takes the older's place."""
    first, second = (entry.mapper for entry in (one, other))
    return (first.name, first.sha256, first.options) == (second.name, second.sha256, second.options)


def _present(folder: Path) -> list[Entry]:
    return [read_entry(path) for path in sorted((folder / "entries").glob("*.json"))]
