"""What the jobs of a run do in a worker: each writes a part."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from graftbench.benchmark.mappers.info import MapperInfo
from graftbench.benchmark.runs.cell import run_reference, score_cell
from graftbench.benchmark.runs.context import Settings, context_of
from graftbench.benchmark.runs.entry import cell_result
from graftbench.benchmark.runs.parts import CellPart, Parts
from graftbench.benchmark.runs.plan import Cell
from graftbench.benchmark.runs.side_effects import run_reference_side_effects, run_side_effects


def reference_job(cell: Cell, settings: Settings, folder: Path, references: Path) -> None:
    """Run the reference of a cell, and write its part."""
    Parts(folder, references).add_reference(cell, run_reference(cell, context_of(settings)))


def cell_job(cell: Cell, settings: Settings, info: MapperInfo, *paths: Path) -> None:
    """Score a cell, and write its part; `paths` are the mapper's files, the folder of parts and that of references."""
    *files, folder, references = paths
    outcome = score_cell(cell, context_of(settings), with_files(info, files), folder)
    Parts(folder, references).add(cell, cell_result(cell, outcome), outcome)


def reference_side_effects_job(cell: Cell, settings: Settings, folder: Path, references: Path) -> None:
    """Measure the side effects of the reference of a cell, and write its part."""
    parts = Parts(folder, references)
    parts.add_reference_side_effects(cell, run_reference_side_effects(cell, context_of(settings)))


def side_effects_job(cell: Cell, settings: Settings, info: MapperInfo, *paths: Path) -> None:
    """Measure the side effects of a cell, and write their part.

    `paths` are the mapper's files, the part of the cell, the folder of parts and that of references.
    """
    *files, part, folder, references = paths
    scored = CellPart.model_validate_json(part.read_bytes()).cell
    outcome = run_side_effects(cell, context_of(settings), with_files(info, files), scored.steerable)
    Parts(folder, references).add_side_effects(cell, outcome)


def with_files(info: MapperInfo, files: Sequence[Path]) -> MapperInfo:
    """Return a mapper whose files lie elsewhere, as on another machine."""
    return replace(info, file=files[0]) if files else info
