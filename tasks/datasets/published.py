"""What datasets made of published rows have in common: from rows to lines, and words about revisions."""

from collections.abc import Callable, Iterable, Iterator

from pydantic import ValidationError

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.files import first_error
from graftbench.benchmark.data.dataset import About
from graftbench.benchmark.data.lines import Line, Placed
from graftbench.benchmark.data.rows import Document, PublishedTable, rows_of
from graftbench.benchmark.data.splits import short_hash

LinesOf = Callable[[Document], Iterable[Line]]


def placed_lines(table: PublishedTable, lines_of: LinesOf) -> Iterator[Placed]:
    """Yield the lines made of each row of a table, with its place; UserError where a row cannot be used."""
    for i, row in enumerate(rows_of(table), start=1):
        where = f"{table.name} {table.split} row {i}"
        try:
            lines = list(lines_of(row))
        except ValueError as error:
            why = first_error(error) if isinstance(error, ValidationError) else error
            raise UserError(f"{where} cannot be used: {why}.") from error
        yield from (Placed(where, line) for line in lines)


def about(title: str, table: PublishedTable, licence: str) -> About:
    """Return where a table comes from. Without a revision none is pinned: the newest is read."""
    return About(title, table.name, table.revision or "", licence)


class Seen:
    """Texts that came before, of which a hash is kept."""

    def __init__(self) -> None:
        self._hashes: set[int] = set()

    def __contains__(self, text: str) -> bool:
        return short_hash(text) in self._hashes

    def is_new(self, text: str) -> bool:
        """Return True where a text comes for the first time, and remember it."""
        hashed, n = short_hash(text), len(self._hashes)
        self._hashes.add(hashed)
        return len(self._hashes) > n
