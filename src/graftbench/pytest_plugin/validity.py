"""Validity of results, whatever the score: of cells, of controls, of the comparison between mappers."""

from collections.abc import Iterator, Sequence

from graftbench.benchmark.mappers.builtin.controls import Identity, Mean, RandomMap, Shuffled, Zero
from graftbench.benchmark.mappers.info import MapperInfo
from graftbench.benchmark.mappers.loading import mapper_class
from graftbench.benchmark.results.consistency import problems_of_cell
from graftbench.benchmark.results.schema import CellResult, Entry
from graftbench.benchmark.results.scores import score_of
from graftbench.benchmark.runs.suite import Suite
from graftbench.leaderboard.comparability import names_of_both, reference_mismatches

NULL_CONTROLS: tuple[type, ...] = (
    Zero,
    Mean,
    Identity,
    RandomMap,
    Shuffled,
)  # should score nothing; `lookup` remembers


def invalid(cell: CellResult) -> list[str]:
    """List the problems of a cell. Figures that are not finite need no check: a record takes none."""
    if cell.status != "ok":
        return [cell.reason or cell.status]
    return list(problems_of_cell(cell))


def floor_of(suite: Suite, cell: CellResult, overall: float | None) -> float | None:
    """Return the least transfer asked of a cell: the overall floor where there is one, else the suite's."""
    if overall is not None:
        return overall
    specs = suite.tasks[cell.task].cells
    return next(spec.min_transfer for spec in specs if (spec.variant, spec.pair) == (cell.variant, cell.pair))


def below(floor: float | None, cell: CellResult) -> list[str]:
    """List that the transfer of a cell is below its floor; checks and cells that cannot be steered have none."""
    if floor is None or cell.check or not cell.steerable or cell.transfer is None:
        return []
    value = cell.transfer.value
    if value is None:
        return [f"it has no transfer ({cell.transfer.reason}), and the floor is {floor:g}"]
    return [] if value >= floor else [f"its transfer is {value:g}, and the floor is {floor:g}"]


def control_problems(info: MapperInfo, cells: Sequence[CellResult]) -> Iterator[str]:
    """Yield the fit tracks on which a null control scores significantly above 0."""
    if info.file is not None or mapper_class(info) not in NULL_CONTROLS:
        return
    for track in dict.fromkeys(cell.track for cell in cells):
        score = score_of([cell for cell in cells if cell.track == track and not cell.check])
        if score.low is not None and score.low > 0:
            yield (
                f"{info.name} is a control that should do nothing, and scores {score.score:.1f} "
                f"({score.low:.1f} to {score.high:.1f}) on the track {track}"
            )


def incomparable(entries: Sequence[Entry]) -> Iterator[str]:
    """Yield where two mappers, or the seeds of one, differ in what no mapper has a part in."""
    for other in entries:
        for what in reference_mismatches(other, entries[0]):
            yield f"{names_of_both(entries[0], other)} cannot be compared in {what}"
