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
from graftbench.benchmark.results.schema import CellResult, Missing, SideEffects
from graftbench.benchmark.runs.cell import CellOutcome, ReferenceOutcome
from graftbench.benchmark.runs.context import Settings
from graftbench.benchmark.runs.executors.protocol import Failure
from graftbench.benchmark.runs.plan import Cell
from graftbench.benchmark.runs.side_effects import SideEffectsOutcome

PARTS = "parts"  # the folder in a run's


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CellPart(_Part):
    """The result of a cell, and its seconds by what took them; its answers lie in a file next to it.

    `complete` is False where judges left an answer unscored: the same command may mend it. `awaits_side_effects` is
    True as long as they are to be measured.
    """

    cell: CellResult
    seconds: dict[str, float] | None
    complete: bool
    awaits_side_effects: bool = False

    def with_side_effects(self, part: "SideEffectsPart") -> "CellPart":
        """Return the part with side effects that were measured since, where they were for what it is now."""
        if not self.awaits_side_effects or part.steerable != self.cell.steerable:
            return self
        seconds = dict(self.seconds or {})
        seconds |= {"side_effects": part.seconds, "total": seconds.get("total", 0.0) + part.seconds}
        cell = self.cell.model_copy(update={"side_effects": part.side_effects})
        return self.model_copy(update={"cell": cell, "seconds": seconds, "awaits_side_effects": False})


class SideEffectsPart(_Part):
    """The side effects of a cell, given whether it can be steered, and the seconds that they took."""

    side_effects: SideEffects | Missing
    steerable: bool | None
    seconds: float


class ReferencePart(_Part):
    """The seconds that a reference took, or why it is missing; its answers lie in a file next to it."""

    seconds: float | None
    failure: Failure | None
    complete: bool


class ReferenceSideEffectsPart(_Part):
    """The seconds that the side effects of a reference took, which are in the cache."""

    seconds: float


@dataclass(frozen=True)
class Parts:
    """The parts of a run's cells in `folder`, and of the references that they share in `references`.

    A part is there once its JSON file is, which is written last. Side effects have a part of their own.
    """

    folder: Path
    references: Path

    def add(self, cell: Cell, result: CellResult, outcome: CellOutcome | Failure) -> None:
        """Write the part of a cell; one that failed has no answers."""
        if isinstance(outcome, Failure):
            self._rows(cell).unlink(missing_ok=True)
            part = CellPart(cell=result, seconds=None, complete=False)
        else:
            answers = outcome.scored.summary.rows
            write_rows(self._rows(cell), [_answers_table(cell, {"track": cell.track, "seed": cell.seed}, answers)])
            seconds, awaits = outcome.seconds, cell.has_side_effects
            part = CellPart(cell=result, seconds=seconds, complete=_complete(answers), awaits_side_effects=awaits)
        write_text(self.file_of(cell), part.model_dump_json())

    def add_side_effects(self, cell: Cell, outcome: SideEffectsOutcome) -> None:
        """Write the side effects of a cell."""
        write_text(self._side_effects_json(cell), SideEffectsPart(**vars(outcome)).model_dump_json())

    def add_reference_side_effects(self, cell: Cell, seconds: float) -> None:
        """Note that the side effects of a cell's reference were measured."""
        write_text(self._reference_side_effects_json(cell), ReferenceSideEffectsPart(seconds=seconds).model_dump_json())

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
        """Return the part of a cell with its side effects as far as they are there, None where there is none."""
        path, later = self.file_of(cell), self._side_effects_json(cell)
        if not path.exists():
            return None
        part = CellPart.model_validate_json(path.read_bytes())
        if not later.exists():
            return part
        return part.with_side_effects(SideEffectsPart.model_validate_json(later.read_bytes()))

    def reference(self, cell: Cell) -> ReferencePart | None:
        """Return the part of a cell's reference, None where there is none."""
        path = self._reference_json(cell)
        return ReferencePart.model_validate_json(path.read_bytes()) if path.exists() else None

    def reference_side_effects(self, cell: Cell) -> float | None:
        """Return the seconds that the side effects of a cell's reference took, None where they are not measured."""
        path = self._reference_side_effects_json(cell)
        return ReferenceSideEffectsPart.model_validate_json(path.read_bytes()).seconds if path.exists() else None

    def tables(self, cells: Sequence[Cell]) -> Iterator[pa.Table]:
        """Yield the answers of the cells, those of each reference once, before those of the first cell that has it."""
        seen: set[str] = set()
        for cell in cells:
            paths = [self._rows(cell)]
            if cell.reference not in seen:
                paths.insert(0, self._reference_rows(cell))
            seen.add(cell.reference)
            yield from (pq.read_table(path) for path in paths if path.exists())

    def file_of(self, cell: Cell) -> Path:
        """Return the file of the part of a cell."""
        return self.folder / f"{cell.folder}.json"

    def _side_effects_json(self, cell: Cell) -> Path:
        return self.folder / f"{cell.folder}.side_effects.json"

    def _rows(self, cell: Cell) -> Path:
        return self.folder / f"{cell.folder}.parquet"

    def _reference_json(self, cell: Cell) -> Path:
        return self.references / f"{cell.reference}.json"

    def _reference_side_effects_json(self, cell: Cell) -> Path:
        return self.references / f"{cell.reference}.side_effects.json"

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
