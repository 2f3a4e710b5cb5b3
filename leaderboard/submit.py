"""Submission of a run to a leaderboard: its entry is checked, and added with its mapper and its suite."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.files import put_in_place, write_text
from graftbench.benchmark.core.locks import one_at_a_time
from graftbench.benchmark.core.unfinished import unfinished_folder
from graftbench.benchmark.results.consistency import problems
from graftbench.benchmark.results.entry_files import entry_text, read_entry
from graftbench.benchmark.results.schema import Entry, SuiteIdentity
from graftbench.benchmark.runs.folder import ENTRY, MAPPERS, ROWS
from graftbench.benchmark.runs.suite import SUITE, Suite, read_suite_file
from graftbench.leaderboard.comparability import comparison_problems
from graftbench.leaderboard.completeness import suite_mismatches, unranked_reasons
from graftbench.leaderboard.entries import ENTRIES, collector_off, file_name, refuse
from graftbench.leaderboard.mapper_files import (
    copy_mapper,
    file_mismatches,
    identity_mismatches,
    run_source_mismatches,
    with_fitted,
)
from graftbench.leaderboard.protocol_check import protocol_problems
from graftbench.leaderboard.ranking import ranking_of
from graftbench.leaderboard.row_check import row_mismatches
from graftbench.leaderboard.scoring import read_scoring
from graftbench.leaderboard.suites import identity_of, suite_conflicts, suite_file

Move = tuple[Path | None, Path]  # from and to; from None: only clear the destination


@dataclass(frozen=True)
class Submitted:
    """An entry that was added: its file, the name of its suite, and whether it is the first of this suite there."""

    path: Path
    suite: str
    first: bool


@contextmanager
def new_folders(*wanted: Path) -> Iterator[None]:
    """Make folders, and remove those that are still empty at the end."""
    missing = [path for folder in wanted for path in (*reversed(folder.parents), folder) if not path.exists()]
    made = list(dict.fromkeys(missing))
    try:
        for path in made:
            path.mkdir()
        yield
    finally:
        for path in reversed(made):
            with suppress(OSError):  # it is not empty, or was never made
                path.rmdir()


def move_all(moves: Sequence[Move], backup: Path) -> None:
    """Make some moves in turn; where one fails, undo those before it.

    `backup` is a folder on the same disk, for what was at the destinations. A file replaces another in one step.
    """
    with ExitStack() as undo:
        for i, (new, place) in enumerate(moves):
            _move(new, place, backup / f"former-{i}", undo)
        undo.pop_all()


def _move(new: Path | None, place: Path, former: Path, undo: ExitStack) -> None:
    if new is not None and place.is_file():
        shutil.copy2(place, former)
        undo.callback(former.replace, place)
        put_in_place(new, place)
        return
    if place.exists():
        place.rename(former)
        undo.callback(former.rename, place)
    if new is not None:
        put_in_place(new, place)
        undo.callback(place.rename, new)


@collector_off()
def submit(run: Path, folder: Path) -> Submitted:
    """Add the entry of a run to a leaderboard; UserError, with nothing changed, where it is refused.

    It has to follow from its own rows and bits, to cover its whole suite, to be comparable with the entries of this
    suite that are there, and not to be another mapper of the same name. The first entry of a suite brings the suite.
    """
    entry, suite = _checked_entry(run)
    with one_at_a_time(folder):
        return _submitted(entry, suite, run, folder)


def _submitted(entry: Entry, suite: Suite, run: Path, folder: Path) -> Submitted:
    """Compare an entry with those that are there, and add it."""
    path, present = folder / ENTRIES / file_name(entry), _present(folder)
    refuse(f"{run} cannot be submitted", suite_conflicts(_suites(folder, suite, present)))
    of_suite = [other for other in present if other.suite == entry.suite]
    others = [other for other in of_suite if not _same_mapper(other, entry)]
    refuse(f"{run} cannot be submitted", comparison_problems([entry, *others]))
    ranking_of([*others, entry], read_scoring(folder, suite.name))  # raises before anything is written
    try:
        _add(entry, run, suite, path)
    except OSError as error:
        why = error.strerror or error
        raise UserError(f"{path} cannot be written: {why}. Make room, or choose another folder.") from error
    return Submitted(path, suite.name, not of_suite)


def _checked_entry(run: Path) -> tuple[Entry, Suite]:
    """Return the entry of a run, with hashes of its fitted mapper, and its suite; UserError where a check fails."""
    entry = read_entry(run / ENTRY)
    refuse(f"{run} cannot be ranked", unranked_reasons(entry))
    refuse(f"{run} does not follow from its bits", problems(entry))
    refuse(f"{run} does not follow from its rows", row_mismatches(entry, run / ROWS))
    suite = read_suite_file(run / SUITE)
    refuse(f"{run} is not the whole of its suite", suite_mismatches(suite, entry))
    refuse(f"{run} cannot be submitted", identity_mismatches(entry) or run_source_mismatches(entry, run))
    refuse(f"{run} cannot be submitted: its mapper does not keep to the protocol", protocol_problems(entry, run))
    return with_fitted(entry, run), suite


def _same_mapper(one: Entry, other: Entry) -> bool:
    """Return whether two entries of a suite are of one mapper, so that the newer replaces the older."""
    first, second = (entry.mapper for entry in (one, other))
    return (first.name, first.sha256, first.options) == (second.name, second.sha256, second.options)


def _present(folder: Path) -> list[Entry]:
    """Return the entries of a leaderboard; UserError where a file has another name than it should."""
    entries = {path: read_entry(path) for path in sorted((folder / ENTRIES).glob("*.json"))}
    for path, entry in entries.items():
        if path.name != file_name(entry):
            raise UserError(f"{path} should be called {file_name(entry)}: put that right first.")
    return list(entries.values())


def _suites(folder: Path, suite: Suite, present: Sequence[Entry]) -> Iterator[SuiteIdentity]:
    """Yield the suites of the entries of a leaderboard, that in the new suite's file where it has entries, and the new.

    The file of a suite without an entry is replaced.
    """
    yield from (entry.suite for entry in present)
    file = suite_file(folder, suite.name)
    if file.exists() and any(entry.suite.name == suite.name for entry in present):
        yield identity_of(read_suite_file(file))
    yield identity_of(suite)


def _add(entry: Entry, run: Path, suite: Suite, path: Path) -> None:
    """Write all files of an entry to a temporary folder, then move them to their places, the entry last.

    An entry is never there without its own mapper: where a mapper is replaced, its old entry goes first. If the process
    is killed, it may leave a folder among the mappers that belongs to no entry: `verify` reports it, and the same
    submission puts it right.
    """
    folder = path.parents[1]
    mappers = folder / MAPPERS
    with (
        new_folders(path.parent, mappers, suite_file(folder, suite.name).parent),
        unfinished_folder(mappers / path.stem) as new,
    ):
        copy_mapper(entry, run, new / "mapper")
        write_text(new / SUITE, suite.model_dump_json(indent=1) + "\n")
        write_text(new / path.name, entry_text(entry))
        move_all([*_moves(entry, suite, new, path), (new / path.name, path)], new)


def _moves(entry: Entry, suite: Suite, new: Path, path: Path) -> Iterator[Move]:
    """Yield the moves before the entry's own: its mapper and its suite, where they differ from those in place."""
    folder = path.parents[1]
    stored, mapper = folder / MAPPERS / path.stem, new / "mapper"
    file = suite_file(folder, suite.name)
    if file_mismatches(entry, stored):
        yield None, path
        yield mapper if mapper.exists() else None, stored
    if not file.exists() or identity_of(read_suite_file(file)) != identity_of(suite):
        yield new / SUITE, file
