"""What came out of single cells, as files: so processes that know nothing of each other bring it together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict

from graftbench.leaderboard.schema import Cell as CellResult

from .files import write_text
from .plan import Cell
from .pool import Failure
from .rows import in_turn, own_table, shared_table, write_rows
from .work import Done, Prepared


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CellPart(_Part):
    """What came out of a cell, and what took how many seconds; its answers lie beside it."""

    cell: CellResult
    seconds: dict[str, float] | None


class GroundPart(_Part):
    """What cells share: how many seconds it took, or why it is not there; its answers lie beside it."""

    seconds: float | None
    failure: Failure | None


@dataclass(frozen=True)
class Parts:
    """The parts of one mapper's cells in `folder`, and of what the cells of all mappers share in `grounds`.

    A part is there once its JSON is, which is written last.
    """

    folder: Path
    grounds: Path

    def add(self, cell: Cell, result: CellResult, outcome: Done | Failure) -> None:
        """Write the part of a cell."""
        seconds = None
        if isinstance(outcome, Done):
            seconds = outcome.seconds
            write_rows(self._rows(cell), [own_table(cell, outcome)])
        write_text(self._json(cell), CellPart(cell=result, seconds=seconds).model_dump_json())

    def add_ground(self, cell: Cell, outcome: Prepared | Failure) -> GroundPart:
        """Write the part of what a cell shares with others."""
        if isinstance(outcome, Failure):
            part = GroundPart(seconds=None, failure=outcome)
        else:
            part = GroundPart(seconds=outcome.seconds, failure=None)
            write_rows(self._shared_rows(cell), [shared_table(cell, outcome)])
        write_text(self._shared_json(cell), part.model_dump_json())
        return part

    def of(self, cell: Cell) -> CellPart | None:
        """The part of a cell, None where there is none."""
        path = self._json(cell)
        return CellPart.model_validate_json(path.read_bytes()) if path.exists() else None

    def ground(self, cell: Cell) -> GroundPart | None:
        """The part of what a cell shares with others, None where there is none."""
        path = self._shared_json(cell)
        return GroundPart.model_validate_json(path.read_bytes()) if path.exists() else None

    def tables(self, cells: Sequence[Cell]) -> Iterator[pa.Table]:
        """The answers of all cells that are there."""
        return in_turn(
            cells, lambda cell: _read_table(self._shared_rows(cell)), lambda cell: _read_table(self._rows(cell))
        )

    def _json(self, cell: Cell) -> Path:
        return self.folder / f"{cell.folder}.json"

    def _rows(self, cell: Cell) -> Path:
        return self.folder / f"{cell.folder}.parquet"

    def _shared_json(self, cell: Cell) -> Path:
        return self.grounds / f"{cell.ground}.json"

    def _shared_rows(self, cell: Cell) -> Path:
        return self.grounds / f"{cell.ground}.parquet"


def _read_table(path: Path) -> pa.Table | None:
    return pq.read_table(path) if path.exists() else None
