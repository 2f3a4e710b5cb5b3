"""Whether what came out of a run is valid, whatever the score: cells, controls, and mappers beside each other."""

from collections.abc import Iterator, Sequence

from graftbench.leaderboard.checking import problems_of_cell
from graftbench.leaderboard.schema import Cell, Entry

from .experiments.conditions import MOST_UNSCORED
from .headline import score_of
from .mappers.controls import Identity, Mean, RandomMap, Shuffled, Zero
from .mappers.finding import Found
from .suite import Suite

NULL_CONTROLS: tuple[type, ...] = (Zero, Mean, Identity, RandomMap, Shuffled)  # ought to do nothing; `lookup` remembers


def invalid(cell: Cell) -> list[str]:
    """What is wrong with a cell; a figure in it that is not finite cannot be, for a record takes none."""
    if cell.status != "ok":
        return [cell.reason or cell.status]
    return [*problems_of_cell(cell), *_missing(cell)]


def _missing(cell: Cell) -> Iterator[str]:
    """Conditions without which nothing can be compared, where the cell does not say why they are not there."""
    for name in _free(cell):
        rate = cell.rates.get(name)
        if rate is None or (rate.value is None and rate.reason is None):
            yield f"it has no condition {name}, and does not say why"


def _free(cell: Cell) -> list[str]:
    """The conditions that no mapper has a part in."""
    return ["unsteered", "native", *([cell.transfer.baseline] if cell.transfer else [])]


def floor_of(suite: Suite, cell: Cell, overall: float | None) -> float | None:
    """The transfer that is asked of a cell: overall where there is such a floor, else by the suite."""
    if overall is not None:
        return overall
    specs = suite.tasks[cell.task].cells
    return next(spec.min_transfer for spec in specs if (spec.variant, spec.pair) == (cell.variant, cell.pair))


def below(floor: float | None, cell: Cell) -> list[str]:
    """That the transfer of a cell misses its floor, where it does; checks and what cannot be steered have none."""
    if floor is None or cell.check or not cell.steerable or cell.transfer is None:
        return []
    value = cell.transfer.value
    if value is None:
        return [f"it has no transfer ({cell.transfer.reason}), and the floor is {floor:g}"]
    return [] if value >= floor else [f"its transfer is {value:g}, and the floor is {floor:g}"]


def off(found: Found, cells: Sequence[Cell]) -> Iterator[str]:
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
    """Where two mappers were not measured alike: what no mapper has a part in differs between them."""
    first: dict[tuple[str, str, str, str], tuple[str, Cell]] = {}
    for entry in entries:
        for cell in (cell for cell in entry.cells if cell.status == "ok"):
            key = cell.task, cell.variant, cell.pair, cell.track
            name, known = first.setdefault(key, (entry.mapper.name, cell))
            for what in _apart(known, cell):
                yield f"{name} and {entry.mapper.name} cannot be compared in {' '.join(key)}: their {what} differ"


def _apart(one: Cell, other: Cell) -> Iterator[str]:
    baselines = [cell.transfer and cell.transfer.baseline for cell in (one, other)]
    if baselines[0] != baselines[1]:
        yield "baselines"
    clusters = [dict(zip(cell.prompt_ids, cell.clusters, strict=True)) for cell in (one, other)]
    common = [prompt for prompt in clusters[0] if prompt in clusters[1]]
    # What judges leave unscored under one mapper leaves that mapper's prompts alone.
    if any(len(known) - len(common) > MOST_UNSCORED * len(known) for known in clusters):
        yield "prompts"
    if any(clusters[0][prompt] != clusters[1][prompt] for prompt in common):
        yield "clusters"
    for name in _free(one):
        if _bits(one, name, common) != _bits(other, name, common):
            yield f"bits of {name}"


def _bits(cell: Cell, condition: str, prompts: Sequence[str]) -> list[list[int]]:
    """The bits of a condition on some prompts, none where it was not run."""
    where = {prompt: i for i, prompt in enumerate(cell.prompt_ids)}
    return [[draw[where[prompt]] for prompt in prompts] for draw in cell.bits.get(condition, [])]
