"""Finished cells as files, from which a run folder is gathered: a run that was killed goes on from them."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict

from graftbench.benchmark.core.files import write_text
from graftbench.benchmark.core.hashing import digest
from graftbench.benchmark.core.store import package_version
from graftbench.benchmark.mappers.hosts import comes_with_graftbench
from graftbench.benchmark.mappers.info import MapperInfo
from graftbench.benchmark.results.rows import Answer, row_of, table_of, write_rows
from graftbench.benchmark.results.schema import CellResult
from graftbench.benchmark.runs.cell import CellOutcome, ReferenceOutcome
from graftbench.benchmark.runs.context import Settings
from graftbench.benchmark.runs.executors.protocol import Failure
from graftbench.benchmark.runs.plan import Cell

PARTS = "parts"  # the folder in a run's


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CellPart(_Part):
    """The result of a cell, and its seconds by what took them; its answers lie in a file next to it.

    `complete` is False where judges left an answer unscored: the same command may mend it.
    """

    cell: CellResult
    seconds: dict[str, float] | None
    complete: bool


class ReferencePart(_Part):
    """The seconds that a reference took, or why it is missing; its answers lie in a file next to it."""

    seconds: float | None
    failure: Failure | None
    complete: bool


@dataclass(frozen=True)
class Parts:
    """The parts of a run's cells in `folder`, and of the references that they share in `references`.

    A part is there once its JSON file is, which is written last.
    """

    folder: Path
    references: Path

    def add(self, cell: Cell, result: CellResult, outcome: CellOutcome | Failure) -> None:
        """Write the part of a cell."""
        seconds, complete = None, False
        if isinstance(outcome, CellOutcome):
            answers = outcome.scored.summary.rows
            seconds, complete = outcome.seconds, _complete(answers)
            write_rows(self._rows(cell), [_answers_table(cell, {"track": cell.track, "seed": cell.seed}, answers)])
        part = CellPart(cell=result, seconds=seconds, complete=complete)
        write_text(self._json(cell), part.model_dump_json())

    def add_reference(self, cell: Cell, outcome: ReferenceOutcome | Failure) -> None:
        """Write the part of a cell's reference."""
        if isinstance(outcome, Failure):
            part = ReferencePart(seconds=None, failure=outcome, complete=False)
        else:
            part = ReferencePart(seconds=outcome.seconds, failure=None, complete=_complete(outcome.answers))
            table = _answers_table(cell, {"track": None, "seed": None}, outcome.answers)
            write_rows(self._reference_rows(cell), [table])
        write_text(self._reference_json(cell), part.model_dump_json())

    def of(self, cell: Cell) -> CellPart | None:
        """Return the part of a cell, None where there is none."""
        path = self._json(cell)
        return CellPart.model_validate_json(path.read_bytes()) if path.exists() else None

    def reference(self, cell: Cell) -> ReferencePart | None:
        """Return the part of a cell's reference, None where there is none."""
        path = self._reference_json(cell)
        return ReferencePart.model_validate_json(path.read_bytes()) if path.exists() else None

    def tables(self, cells: Sequence[Cell]) -> Iterator[pa.Table]:
        """Yield the answers of the cells, those of each reference once, before those of the first cell that has it."""
        seen: set[str] = set()
        for cell in cells:
            paths = [self._rows(cell)]
            if cell.reference not in seen:
                paths.insert(0, self._reference_rows(cell))
            seen.add(cell.reference)
            yield from (pq.read_table(path) for path in paths if path.exists())

    def _json(self, cell: Cell) -> Path:
        return self.folder / f"{cell.folder}.json"

    def _rows(self, cell: Cell) -> Path:
        return self.folder / f"{cell.folder}.parquet"

    def _reference_json(self, cell: Cell) -> Path:
        return self.references / f"{cell.reference}.json"

    def _reference_rows(self, cell: Cell) -> Path:
        return self.references / f"{cell.reference}.parquet"


def parts_folder(run: Path, settings: Settings, info: MapperInfo) -> Path:
    """Return the folder of a run's parts: one for each suite, device, mapper and code that they depend on."""
    parts = [
        settings.suite,
        settings.datasets,
        settings.device,
        settings.batch_size,
        info.sha256,
        info.options,
        package_version(),
        *([] if comes_with_graftbench(info) else [settings.isolation]),
    ]
    return run / PARTS / digest(*parts)[:16]


def remove_parts(run: Path) -> None:
    """Remove the parts of a run that is finished."""
    shutil.rmtree(run / PARTS, ignore_errors=True)


def _complete(answers: Sequence[Answer]) -> bool:
    return all(answer.success is not None and not answer.unscored for answer in answers)


def _answers_table(cell: Cell, of_mapper: dict[str, Any], answers: Sequence[Answer]) -> pa.Table:
    about = {"task": cell.task, "variant": cell.variant, "pair": cell.pair, **of_mapper}
    return table_of([row_of(about, answer) for answer in answers])
