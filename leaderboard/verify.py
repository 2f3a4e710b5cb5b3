"""Computing again everything about entries that follows from files."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.files import write_text
from graftbench.benchmark.mappers.loading import SOURCE
from graftbench.benchmark.results.consistency import problems
from graftbench.benchmark.results.entry_files import read_bytes, read_entry
from graftbench.benchmark.results.schema import SCHEMA_VERSION, Entry
from graftbench.benchmark.runs.suite import SUITE, read_suite_file
from graftbench.leaderboard.comparability import beside_each_other
from graftbench.leaderboard.completeness import apart_from, unranked
from graftbench.leaderboard.entries import entry_files, file_name
from graftbench.leaderboard.mapper_files import MAPPERS, belongs_to_none, kept_apart, mapper_apart, source_apart
from graftbench.leaderboard.ranking import as_json
from graftbench.leaderboard.rows import apart_from_rows
from graftbench.leaderboard.submit import refuse_where

BOARD = "leaderboard.json"


@dataclass(frozen=True)
class Verified:
    """One file, what is wrong with it, and what was looked at."""

    path: Path
    entry: Entry | None
    wrong: tuple[str, ...]
    looked_at: tuple[str, ...] = ()

    @property
    def told(self) -> str:
        """The result in one line."""
        if self.wrong:
            told = "; ".join(self.wrong)
            return told if told.startswith(str(self.path)) else f"{self.path}: {told}"
        old = self.entry is not None and self.entry.schema_version != SCHEMA_VERSION
        version = f" (schema version {self.entry.schema_version})" if self.entry and old else ""
        return f"{self.path}: follows from its {' and its '.join(self.looked_at)}{version}"


def verify(path: Path, folder: Path) -> Verified:
    """Verify one entry: of a leaderboard with what lies in its folder, else with what lies beside it."""
    try:
        if path.is_symlink() and in_leaderboard(path, folder):
            raise UserError(f"{path} is a link: an entry is a file of its own.")
        entry = read_entry(path)
        looked_at = ["bits", "source"]
        wrong = [*problems(entry), *mapper_apart(entry)]
        if in_leaderboard(path, folder):
            looked_at.append("suite")
            wrong += [*apart_from(read_suite_file(suite_of(path, folder)), entry), *unranked(entry)]
            wrong += [] if path.name == file_name(entry) else [f"its name should be {file_name(entry)}"]
            wrong += kept_apart(entry, kept_of(path, folder))
        else:
            wrong += source_apart(entry, path.parent)
            found = dict(_beside(entry, path))
            looked_at += found
            wrong += [what for these in found.values() for what in these]
    except UserError as error:
        return Verified(path, None, (str(error),))
    return Verified(path, entry, tuple(wrong), tuple(looked_at))


def in_leaderboard(path: Path, folder: Path) -> bool:
    """Whether an entry's file is one of a leaderboard."""
    return path.parent.resolve() == (folder / "entries").resolve()  # of where a link stands, not of where it leads


def suite_of(path: Path, folder: Path) -> Path:
    """Where the suite of an entry lies: a leaderboard has one for all, a run its own."""
    return folder / SUITE if in_leaderboard(path, folder) else path.with_name(SUITE)


def kept_of(path: Path, folder: Path) -> Path:
    """Where the mapper of an entry is kept: never beside it in a leaderboard, where anybody may put a file."""
    return folder / MAPPERS / path.stem if in_leaderboard(path, folder) else path.with_name(SOURCE)


def _beside(entry: Entry, path: Path) -> Iterator[tuple[str, list[str]]]:
    rows, suite = path.with_name("rows.parquet"), path.with_name(SUITE)
    if rows.exists():
        yield "rows", apart_from_rows(entry, rows)
    if suite.exists():
        yield "suite", apart_from(read_suite_file(suite), entry)


def verify_all(folder: Path) -> list[Verified]:
    """Verify every entry of a leaderboard, whether they can stand beside each other, and the leaderboard itself."""
    found = _entries(folder)
    entries = [one.entry for one in found if one.entry is not None and not one.wrong]
    if len(entries) < len(found):
        wrong = ["it was not compared, for an entry is wrong"]
    else:
        wrong = [*belongs_to_none(folder, entries), *(beside_each_other(entries) or _of_board(folder / BOARD, entries))]
    return [*found, Verified(folder / BOARD, None, tuple(wrong), ("entries",))]


def sound_entries(folder: Path) -> list[Entry]:
    """All entries of a leaderboard, by file name; UserError where one is not sound, or cannot stand beside another."""
    found = _entries(folder)
    refuse_where("The leaderboard cannot be built", [one.told for one in found if one.wrong])
    entries = [one.entry for one in found if one.entry is not None]
    refuse_where("The leaderboard cannot be built", beside_each_other(entries))
    return entries


def _entries(folder: Path) -> list[Verified]:
    return [verify(path, folder) for path in entry_files(folder)]


def _of_board(board: Path, entries: Sequence[Entry]) -> list[str]:
    if not board.exists():
        return ["it is not there: `graftbench leaderboard build` makes it"]
    if read_bytes(board) != as_json(entries).encode():
        return ["it is not what `graftbench leaderboard build` makes of its entries"]
    return []


def build(folder: Path) -> Path:
    """Write a leaderboard from its entries, which are verified first."""
    path = folder / BOARD
    write_text(path, as_json(sound_entries(folder)))
    return path
