"""A run becomes an entry of a leaderboard, once it was found whole."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.files import write_text
from graftbench.benchmark.results.consistency import problems
from graftbench.benchmark.results.entry_files import entry_text, read_entry
from graftbench.benchmark.results.schema import Entry
from graftbench.benchmark.runs.suite import SUITE, Suite, read_suite_file
from graftbench.leaderboard.comparability import beside_each_other
from graftbench.leaderboard.completeness import apart_from, unranked
from graftbench.leaderboard.entries import file_name
from graftbench.leaderboard.mapper_files import (
    MAPPERS,
    files_apart,
    keep_mapper,
    mapper_apart,
    source_apart,
    with_fitted,
)
from graftbench.leaderboard.ranking import leaderboard_of
from graftbench.leaderboard.rows import apart_from_rows

Move = tuple[Path | None, Path]  # what is moved, and to where; None: the place is cleared


TOLD = 5  # problems


def submit(run: Path, folder: Path) -> Path:
    """Add the entry of a run to a leaderboard; UserError, with nothing changed, where it is not whole.

    It has to follow from its own rows and bits, to be of the whole suite, which is the leaderboard's, to be comparable
    with the entries that are there, and not to be another mapper of the same name.
    """
    entry, suite = _sound(run)
    path = folder / "entries" / file_name(entry)
    present = _present(folder)
    others = [other for other in present if not _same(other, entry)]
    refuse_where(f"{run} cannot be submitted", beside_each_other([entry, *others]))
    refuse_where(f"{run} cannot be submitted", _other_suites(folder, suite, present))
    leaderboard_of([*others, entry])  # before anything is written
    try:
        _add(entry, run, suite, path)
    except OSError as error:
        why = error.strerror or error
        raise UserError(f"{path} cannot be written: {why}. Make room, or choose another folder.") from error
    return path


def refuse_where(what: str, found: Sequence[str]) -> None:
    """UserError, in one sentence, where something was found."""
    if found:
        more = f", and {len(found) - TOLD} more" if len(found) > TOLD else ""
        raise UserError(f"{what}: {'; '.join(found[:TOLD])}{more}.")


def _sound(run: Path) -> tuple[Entry, Suite]:
    """The entry of a run, with what was fitted, and its suite; UserError where its files say otherwise."""
    entry = read_entry(run / "entry.json")
    refuse_where(f"{run} cannot be ranked", unranked(entry))
    refuse_where(f"{run} does not follow from its bits", problems(entry))
    refuse_where(f"{run} does not follow from its rows", apart_from_rows(entry, run / "rows.parquet"))
    suite = read_suite_file(run / SUITE)
    refuse_where(f"{run} is not the whole of its suite", apart_from(suite, entry))
    refuse_where(f"{run} cannot be submitted", mapper_apart(entry) or source_apart(entry, run))
    return with_fitted(entry, run), suite


def _same(one: Entry, other: Entry) -> bool:
    """Whether both are of one mapper, so that the newer takes the older's place."""
    first, second = (entry.mapper for entry in (one, other))
    return (first.name, first.sha256, first.options) == (second.name, second.sha256, second.options)


def _present(folder: Path) -> list[Entry]:
    """The entries of a leaderboard; UserError where one has not the name that it should have."""
    found = {path: read_entry(path) for path in sorted((folder / "entries").glob("*.json"))}
    for path, entry in found.items():
        if path.name != file_name(entry):
            raise UserError(f"{path} should be called {file_name(entry)}: put that right first.")
    return list(found.values())


def _other_suites(folder: Path, suite: Suite, present: Sequence[Entry]) -> list[str]:
    """Of which other suites a leaderboard is, which has one; of none where it has no entries."""
    found = {entry.suite.hash for entry in present}
    if present and (folder / SUITE).exists():
        found.add(read_suite_file(folder / SUITE).hash)
    told = f"it is of the suite {suite.hash}, and {folder} is of"
    return [f"{told} {other}: --leaderboard names another folder" for other in sorted(found - {suite.hash})]


def _add(entry: Entry, run: Path, suite: Suite, path: Path) -> None:
    """Write what belongs to an entry, and move it to its place when all of it is written, the entry last.

    An entry never stands without its own mapper: one whose mapper is replaced goes first. What an end of the process
    may leave lies under the mappers, where it belongs to no entry and is told.
    """
    mappers = path.parents[1] / MAPPERS
    with (
        folders(path.parent, mappers),
        TemporaryDirectory(prefix=f".{path.stem}.", dir=mappers, ignore_cleanup_errors=True) as made,
    ):
        new = Path(made)
        keep_mapper(entry, run, new / "mapper")
        write_text(new / SUITE, suite.model_dump_json(indent=1) + "\n")
        write_text(new / path.name, entry_text(entry))
        put_in_place([*_moves(entry, suite, new, path), (new / path.name, path)], new)


def _moves(entry: Entry, suite: Suite, new: Path, path: Path) -> Iterator[Move]:
    """What is moved before an entry: its mapper, and the suite, where those that are there are others."""
    folder = path.parents[1]
    kept, mapper = folder / MAPPERS / path.stem, new / "mapper"
    if files_apart(entry, kept):
        yield None, path
        yield mapper if mapper.exists() else None, kept
    if not (folder / SUITE).exists() or read_suite_file(folder / SUITE).hash != suite.hash:
        yield new / SUITE, folder / SUITE


@contextmanager
def folders(*wanted: Path) -> Iterator[None]:
    """Make folders; those that nothing was put into are taken away again."""
    missing = [path for folder in wanted for path in (*reversed(folder.parents), folder) if not path.exists()]
    made = list(dict.fromkeys(missing))
    try:
        for path in made:
            path.mkdir()
        yield
    finally:
        for path in reversed(made):
            with suppress(OSError):  # something is in it, or it could not be made
                path.rmdir()


def put_in_place(moves: Sequence[Move], aside: Path) -> None:
    """Make some moves in turn; whatever ends them before the last one puts back what was there.

    `aside` is a folder on the same disk, where what was there is kept meanwhile. A file takes the place of another in
    one step.
    """
    with ExitStack() as undo:
        for i, (new, place) in enumerate(moves):
            _move(new, place, aside / f"former-{i}", undo)
        undo.pop_all()


def _move(new: Path | None, place: Path, former: Path, undo: ExitStack) -> None:
    if new is not None and place.is_file():
        shutil.copy2(place, former)
        undo.callback(former.replace, place)
        new.replace(place)
        return
    if place.exists():
        place.rename(former)
        undo.callback(former.rename, place)
    if new is not None:
        new.rename(place)
        undo.callback(place.rename, new)
