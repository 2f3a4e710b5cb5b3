"""Whether what came out of a run is valid, whatever the score: cells, controls, and mappers beside each other."""

from collections.abc import Iterator, Sequence

from graftbench.benchmark.mappers.builtin.controls import Identity, Mean, RandomMap, Shuffled, Zero
from graftbench.benchmark.mappers.loading import MapperInfo
from graftbench.benchmark.results.consistency import problems_of_cell
from graftbench.benchmark.results.schema import CellResult, Entry
from graftbench.benchmark.results.scores import score_of
from graftbench.benchmark.runs.suite import Suite
from graftbench.leaderboard.comparability import ground_apart, of_both

NULL_CONTROLS: tuple[type, ...] = (Zero, Mean, Identity, RandomMap, Shuffled)  # ought to do nothing; `lookup` remembers


def invalid(cell: CellResult) -> list[str]:
    """What is wrong with a cell; a figure in it that is not finite cannot be, for a record takes none."""
    if cell.status != "ok":
        return [cell.reason or cell.status]
    return list(problems_of_cell(cell))


def floor_of(suite: Suite, cell: CellResult, overall: float | None) -> float | None:
    """The transfer that is asked of a cell: overall where there is such a floor, else by the suite."""
    if overall is not None:
        return overall
    specs = suite.tasks[cell.task].cells
    return next(spec.min_transfer for spec in specs if (spec.variant, spec.pair) == (cell.variant, cell.pair))


def below(floor: float | None, cell: CellResult) -> list[str]:
    """That the transfer of a cell misses its floor, where it does; checks and what cannot be steered have none."""
    if floor is None or cell.check or not cell.steerable or cell.transfer is None:
        return []
    value = cell.transfer.value
    if value is None:
        return [f"it has no transfer ({cell.transfer.reason}), and the floor is {floor:g}"]
    return [] if value >= floor else [f"its transfer is {value:g}, and the floor is {floor:g}"]


def off(found: MapperInfo, cells: Sequence[CellResult]) -> Iterator[str]:
    """The fit tracks on which a mapper that ought to do nothing surely does something."""
    if found.kind not in NULL_CONTROLS:
        return
    for track in dict.fromkeys(cell.track for cell in cells):
        score = score_of([cell for cell in cells if cell.track == track and not cell.check])
        if score.low is not None and score.low > 0:
            yield (
                f"{found.name} is a control that ought to do nothing, and scores {score.score:.1f} "
                f"({score.low:.1f} to {score.high:.1f}) on the track {track}"
            )


def incomparable(entries: Sequence[Entry]) -> Iterator[str]:
    """Where two mappers were not measured alike: what no mapper has a part in differs between them, or its seeds."""
    for other in entries:
        for what in ground_apart(other, entries[0]):
            yield f"{of_both(entries[0], other)} cannot be compared in {what}"
