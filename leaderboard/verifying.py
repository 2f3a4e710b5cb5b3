"""Computing again everything about entries that follows from files."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from graftbench.benchmark.errors import UserError

from .build import check_comparable
from .checking import problems
from .entries import file_name, read_entry
from .rows import apart_from_rows
from .schema import SCHEMA_VERSION, Entry
from .shared import ground_apart
from .submitting import MAPPERS, sources_apart
from .whole import SUITE, apart_from, read_suite_file
from .writing import BOARD, as_json


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
            return f"{self.path}: {'; '.join(self.wrong)}"
        old = self.entry is not None and self.entry.schema_version != SCHEMA_VERSION
        version = f" (schema version {self.entry.schema_version})" if self.entry and old else ""
        return f"{self.path}: follows from its {' and its '.join(self.looked_at)}{version}"


def verify(path: Path, folder: Path) -> Verified:
    """Verify one entry, with the rows, the suite and the source that lie beside it or in the leaderboard's folder."""
    try:
        entry = read_entry(path)
        looked_at, wrong = ["bits"], problems(entry)
        rows = path.with_name("rows.parquet")
        if rows.exists():
            looked_at.append("rows")
            wrong += apart_from_rows(entry, rows)
        suite = next((beside for beside in (path.with_name(SUITE), folder / SUITE) if beside.exists()), None)
        if suite is not None:
            looked_at.append("suite")
            wrong += apart_from(read_suite_file(suite), entry)
        if path.parent == folder / "entries":
            wrong += [] if path.name == file_name(entry) else [f"its name should be {file_name(entry)}"]
            wrong += sources_apart(entry, folder / MAPPERS / path.stem)
    except UserError as error:
        return Verified(path, None, (str(error),))
    return Verified(path, entry, tuple(wrong), tuple(looked_at))


def verify_all(folder: Path) -> Iterator[Verified]:
    """Verify every entry of a leaderboard, whether they can stand beside each other, and the leaderboard itself."""
    found = [verify(path, folder) for path in sorted((folder / "entries").glob("*.json"))]
    yield from found
    entries = [one.entry for one in found if one.entry is not None and not one.wrong]
    board = folder / BOARD
    if board.exists() and len(entries) == len(found):
        yield Verified(board, None, tuple(_of_board(board, entries)), ("entries",))


def _of_board(board: Path, entries: list[Entry]) -> Iterator[str]:
    try:
        check_comparable(entries)
    except UserError as error:
        yield str(error)
        return
    for other in entries[1:]:
        apart = ground_apart(other, entries[0])
        if apart:
            yield f"{other.mapper.name} and {entries[0].mapper.name} cannot be compared: {apart[0]}"
    if board.read_text(encoding="utf-8") != as_json(entries):
        yield "it is not what `graftbench leaderboard build` makes of its entries"
