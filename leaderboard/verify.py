"""Verification of entries: everything that follows from files is computed again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.files import write_text
from graftbench.benchmark.mappers.loading import SOURCE
from graftbench.benchmark.results.consistency import problems
from graftbench.benchmark.results.entry_files import read_bytes, read_entry
from graftbench.benchmark.results.schema import Entry
from graftbench.benchmark.runs.folder import LEADERBOARD, MAPPERS, ROWS
from graftbench.benchmark.runs.suite import SUITE, Suite, read_suite_file
from graftbench.leaderboard.comparability import comparison_problems
from graftbench.leaderboard.completeness import suite_mismatches, unranked_reasons
from graftbench.leaderboard.entries import ENTRIES, collector_off, entry_files, file_name, refuse
from graftbench.leaderboard.mapper_files import (
    identity_mismatches,
    run_source_mismatches,
    stored_mapper_mismatches,
    stray_mappers,
)
from graftbench.leaderboard.ranking import as_json
from graftbench.leaderboard.scoring import SCORING, read_scorings
from graftbench.leaderboard.suites import SUITES, stored_suite, stray_suites, suite_conflicts

Check = tuple[str, list[str]]  # what the entry was checked against, and what is wrong


@dataclass(frozen=True)
class Verified:
    """One file, what is wrong with it, and what it was checked against."""

    path: Path
    entry: Entry | None
    wrong: tuple[str, ...]
    checked: tuple[str, ...] = ()

    @property
    def report(self) -> str:
        """The result in one line."""
        if self.wrong:
            problems = "; ".join(self.wrong)
            return problems if problems.startswith(str(self.path)) else f"{self.path}: {problems}"
        return f"{self.path}: follows from its {' and its '.join(self.checked)}"


def verify(path: Path, folder: Path) -> Verified:
    """Verify one entry, with the files of its leaderboard, or else with those of its run."""
    try:
        on_board = in_leaderboard(path, folder)
        if path.is_symlink() and on_board:
            raise UserError(f"{path} is a link: an entry is a file of its own.")
        entry = read_entry(path)
        checks = [("bits", problems(entry)), ("source", identity_mismatches(entry))]
        checks += _leaderboard_checks(entry, path, folder) if on_board else _run_checks(entry, path)
    except UserError as error:
        return Verified(path, None, (str(error),))
    checked = tuple(dict.fromkeys(name for name, _ in checks))
    return Verified(path, entry, tuple(problem for _, wrong in checks for problem in wrong), checked)


def _leaderboard_checks(entry: Entry, path: Path, folder: Path) -> Iterator[Check]:
    """Check an entry against its leaderboard's suite, and the mapper stored there."""
    wrong = [*suite_mismatches(suite_of(entry, path, folder), entry), *unranked_reasons(entry)]
    wrong += [] if path.name == file_name(entry) else [f"its name should be {file_name(entry)}"]
    yield f"suite {entry.suite.name}", wrong
    yield "source", stored_mapper_mismatches(entry, mapper_folder(path, folder))


def _run_checks(entry: Entry, path: Path) -> Iterator[Check]:
    """Check an entry against those of its run's files that are there."""
    yield "source", run_source_mismatches(entry, path.parent)
    rows, suite = path.with_name(ROWS), path.with_name(SUITE)
    if rows.exists():
        from graftbench.leaderboard.row_check import row_mismatches  # brings pandas, by way of pyarrow

        yield "rows", row_mismatches(entry, rows)
    if suite.exists():
        yield f"suite {entry.suite.name}", suite_mismatches(read_suite_file(suite), entry)


def in_leaderboard(path: Path, folder: Path) -> bool:
    """Return whether an entry's file is in a leaderboard's folder of entries; a link is where it is, not its target."""
    return path.parent.resolve() == (folder / ENTRIES).resolve()


def suite_of(entry: Entry, path: Path, folder: Path) -> Suite:
    """Return the suite that is stored with an entry: by its name in a leaderboard, beside the entry in a run."""
    if in_leaderboard(path, folder):
        return stored_suite(folder, entry.suite.name)
    return read_suite_file(path.with_name(SUITE))


def mapper_folder(path: Path, folder: Path) -> Path:
    """Return the folder of an entry's mapper; in a leaderboard never next to the entry, where anybody may add files."""
    return folder / MAPPERS / path.stem if in_leaderboard(path, folder) else path.with_name(SOURCE)


@collector_off()
def verify_all(folder: Path) -> list[Verified]:
    """Verify every entry of a leaderboard, whether those of a suite are comparable, and the leaderboard itself."""
    verified = _verified_entries(folder)
    entries = [one.entry for one in verified if one.entry is not None and not one.wrong]
    if len(entries) < len(verified):
        wrong = ["it was not compared, for an entry is wrong"]
    else:
        board = _incompatible(entries) or _board_mismatches(folder, entries)
        wrong = [*stray_mappers(folder, entries), *stray_suites(folder, entries, SUITES, SCORING), *board]
    return [*verified, Verified(folder / LEADERBOARD, None, tuple(wrong), ("entries",))]


def sound_entries(folder: Path) -> list[Entry]:
    """Return all entries of a leaderboard, by file name; UserError where one is wrong, or two cannot be on it."""
    verified = _verified_entries(folder)
    refuse("The leaderboard cannot be built", [one.report for one in verified if one.wrong])
    entries = [one.entry for one in verified if one.entry is not None]
    refuse("The leaderboard cannot be built", _incompatible(entries))
    return entries


def _incompatible(entries: Sequence[Entry]) -> list[str]:
    """Return which suites, and which entries of one suite, cannot be on one leaderboard."""
    return [*suite_conflicts(entry.suite for entry in entries), *comparison_problems(entries)]


def _verified_entries(folder: Path) -> list[Verified]:
    return [verify(path, folder) for path in entry_files(folder)]


def _board_mismatches(folder: Path, entries: Sequence[Entry]) -> list[str]:
    board = folder / LEADERBOARD
    if not board.exists():
        return ["it is not there: `graftbench leaderboard build` makes it"]
    if read_bytes(board) != _text(folder, entries).encode():
        return ["it is not what `graftbench leaderboard build` makes of its entries"]
    return []


@collector_off()
def build(folder: Path) -> Path:
    """Verify all entries of a leaderboard, write it, and return its path."""
    path = folder / LEADERBOARD
    write_text(path, _text(folder, sound_entries(folder)))
    return path


def _text(folder: Path, entries: Sequence[Entry]) -> str:
    """Return the text of the leaderboard that some entries make, as its folder says how they are scored."""
    return as_json(entries, read_scorings(folder, {entry.suite.name for entry in entries}))
