"""What came out of single cells, as files: so processes that know nothing of each other bring it together."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict

from graftbench.benchmark.core.files import write_text
from graftbench.benchmark.results.answers import Answer
from graftbench.benchmark.results.rows import row_of, table_of, write_rows
from graftbench.benchmark.results.schema import CellResult
from graftbench.benchmark.runs.cell import CellOutcome, ReferenceOutcome
from graftbench.benchmark.runs.executors.protocol import Failure
from graftbench.benchmark.runs.plan import Cell


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

    def add(self, cell: Cell, result: CellResult, outcome: CellOutcome | Failure) -> None:
        """Write the part of a cell."""
        seconds = None
        if isinstance(outcome, CellOutcome):
            seconds = outcome.seconds
            write_rows(self._rows(cell), [own_table(cell, outcome)])
        write_text(self._json(cell), CellPart(cell=result, seconds=seconds).model_dump_json())

    def add_ground(self, cell: Cell, outcome: ReferenceOutcome | Failure) -> GroundPart:
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


def tables_of(cells: Sequence[Cell], results: Mapping[str, Any]) -> Iterator[pa.Table]:
    """The answers of every cell of a run, given what the workers brought back."""

    def shared(cell: Cell) -> pa.Table | None:
        ground = results.get(cell.ground)
        return shared_table(cell, ground) if isinstance(ground, ReferenceOutcome) else None

    def own(cell: Cell) -> pa.Table | None:
        done = results[cell.name]
        return own_table(cell, done) if isinstance(done, CellOutcome) else None

    return in_turn(cells, shared, own)


def in_turn(
    cells: Sequence[Cell], shared: Callable[[Cell], pa.Table | None], own: Callable[[Cell], pa.Table | None]
) -> Iterator[pa.Table]:
    """The answers of each cell, where there are any, after those that it shares with others, which come once."""
    told: set[str] = set()
    for cell in cells:
        ground = None if cell.ground in told else shared(cell)
        told.add(cell.ground)
        yield from (table for table in (ground, own(cell)) if table is not None)


def shared_table(cell: Cell, ground: ReferenceOutcome) -> pa.Table:
    """The answers that a cell shares with others: no mapper has a part in them."""
    return _table(cell, {"track": None, "seed": None}, ground.answers)


def own_table(cell: Cell, done: CellOutcome) -> pa.Table:
    """The answers of a cell that the mapper has a part in."""
    return _table(cell, {"track": cell.track, "seed": cell.seed}, done.scored.summary.rows)


def _table(cell: Cell, of_mapper: Mapping[str, Any], answers: Sequence[Answer]) -> pa.Table:
    about = {"task": cell.task, "variant": cell.variant, "pair": cell.pair, **of_mapper}
    return table_of([row_of(about, answer) for answer in answers])
