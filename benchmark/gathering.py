"""From the parts of cells to a run folder, as `graftbench score` writes it."""

from collections.abc import Mapping, Sequence

from .assemble import cell_result
from .entry import entry_of
from .files import copy_into
from .mappers.finding import Found
from .mappers.sources import keep_source
from .parts import CellPart, Parts
from .plan import Cell
from .pool import Failure
from .request import Request
from .run_folder import MAPPERS, Run, Timings, alone_in, write_run

UNFINISHED = Failure("failed", "its test ended before the cell was done", "")


def gathered(request: Request, found: Found, ran: Sequence[Cell], parts: Parts, seconds: float) -> Run:
    """Write the run folder of the cells that ran, in so many seconds; one that left no part failed."""
    known = {cell.name: parts.of(cell) for cell in ran}
    results = [part.cell if (part := known[cell.name]) else cell_result(cell, UNFINISHED) for cell in ran]
    entry = entry_of(request, found, ran, results, parts.tables(ran))
    folder = request.folder(found, ran)
    with alone_in(folder):
        copy_into(folder / MAPPERS, parts.folder / MAPPERS)
        keep_source(found, folder)
        write_run(folder, request.suite, entry, parts.tables(ran), _timings_of_parts(ran, known, parts, seconds))
    return Run(entry, folder)


def _timings_of_parts(
    ran: Sequence[Cell], known: Mapping[str, CellPart | None], parts: Parts, seconds: float
) -> Timings:
    shared = {cell.ground_name: parts.ground(cell) for cell in ran}
    grounds = {name: part.seconds for name, part in shared.items() if part and part.seconds is not None}
    cells = {name: part.seconds for name, part in known.items() if part and part.seconds is not None}
    return Timings({"total": seconds}, grounds, cells)
