"""Whether an entry says what its own bits say: rates, transfer, what can be steered, and the scores."""

from collections.abc import Iterator

from graftbench.benchmark.metrics.statistics import Resamples
from graftbench.benchmark.results.estimates import rate_of, resamples_of, steerable, transfer_of
from graftbench.benchmark.results.schema import CellResult, Entry, Rate
from graftbench.benchmark.results.scores import LEFT_OUT, headline

NOT_STEERABLE = "not_steerable"
MOST_DRAWS = 1000  # of one condition
ONE_DRAW = ("unsteered", "native", "mapped", "mapped_own_norm", "mapped_best")  # one intervention, not drawn from many
_NEAR = 2e-4  # rounded figures of other machines


def problems(entry: Entry) -> list[str]:
    """Everything in an entry that does not follow from its bits, in one sentence each; none where it is whole."""
    found = [f"{_name(cell)}: {what}" for cell in entry.cells for what in problems_of_cell(cell)]
    if found:  # what follows from these would be wrong, too
        return found
    again = headline(entry.cells, filtered=entry.headline.reason == LEFT_OUT)
    return [f"headline: {what}" for what in _apart(entry.headline.model_dump(), again.model_dump())]


def _name(cell: CellResult) -> str:
    return f"{cell.task} {cell.variant} {cell.pair} {cell.track} seed {cell.seed}"


def problems_of_cell(cell: CellResult) -> Iterator[str]:
    """Everything in a cell that does not follow from its bits."""
    if cell.status != "ok":
        if cell.check or not (cell.bits or cell.transfer or cell.steerable):
            return
        yield f"it {cell.status}, and has results"
        return
    shape = list(_shape(cell))
    yield from shape
    if shape or cell.transfer is None:
        return
    drawn = resamples_of(cell.clusters, cell.bits, cell.transfer.baseline)
    for name in cell.bits:
        yield from _rate(name, cell.rates[name], vars(rate_of(cell.bits, name, drawn)))
    well = _can_be_steered(cell, drawn)
    if cell.steerable != well:
        yield f"`steerable` is {cell.steerable}, and the bits say {well}"
    elif well and "mapped" in cell.bits:
        for name, value in vars(transfer_of(cell.bits, cell.transfer.baseline, drawn)).items():
            if not _near(getattr(cell.transfer, name), value):
                yield f"transfer.{name} is {getattr(cell.transfer, name)}, and the bits say {value}"
    elif cell.transfer.value is not None or not cell.transfer.reason:
        yield "it has a transfer, and nothing to have it from"


def _can_be_steered(cell: CellResult, drawn: Resamples) -> bool:
    """What the bits say, where there is something to carry at all: else nothing was fitted."""
    assert cell.transfer is not None
    nothing = cell.training is None and cell.cost is None and "mapped" not in cell.bits
    if "native" not in cell.bits or cell.transfer.baseline not in cell.bits:
        return False
    return not (nothing and cell.reason not in (None, NOT_STEERABLE)) and steerable(
        cell.bits, cell.transfer.baseline, drawn
    )


def _shape(cell: CellResult) -> Iterator[str]:
    n = len(cell.prompt_ids)
    if len(cell.clusters) != n or cell.n_prompts != n or n == 0:
        yield "prompts, clusters and their number differ, or there are none"
    if len(set(cell.prompt_ids)) != n:
        yield "a prompt is in it more than once"
    for name, draws in cell.bits.items():
        if not 0 < len(draws) <= MOST_DRAWS or any(len(row) != n or not set(row) <= {0, 1} for row in draws):
            yield f"the bits of {name} are not a 0 or a 1 for each of {n} prompts in each draw"
        if name in ONE_DRAW and len(draws) != 1:
            yield f"{name} has {len(draws)} draws, and is one intervention"
        if name not in cell.rates:
            yield f"{name} has bits and no rate"
    for name, rate in cell.rates.items():
        if name not in cell.bits and ((rate.value, rate.low, rate.high) != (None, None, None) or not rate.reason):
            yield f"{name} has neither bits nor a reason"
    if cell.transfer is None:
        yield "it has no transfer"
        return
    for name in dict.fromkeys(("unsteered", "native", cell.transfer.baseline, "mapped")):
        if name not in cell.bits and name not in cell.rates:
            yield f"{name} has neither bits nor a reason"
    if cell.steerable != (cell.reason is None):
        yield "`steerable` and `reason` contradict each other"


def _rate(name: str, told: Rate, found: dict[str, float]) -> Iterator[str]:
    for part, value in found.items():
        if not _near(getattr(told, part), value):
            yield f"rates.{name}.{part} is {getattr(told, part)}, and the bits say {value}"


def _near(told: float | None, found: float) -> bool:
    return told is not None and abs(told - found) <= _NEAR * max(1.0, abs(found))


def _apart(told: object, found: object, where: str = "") -> Iterator[str]:
    """Where two nested records differ by more than rounding."""
    if isinstance(told, dict) and isinstance(found, dict):
        for name in sorted({*told, *found}):
            yield from _apart(told.get(name), found.get(name), f"{where}.{name}" if where else str(name))
    elif isinstance(told, float) and isinstance(found, float):
        if not _near(told, found):
            yield f"{where} is {told}, and the cells say {found}"
    elif told != found:
        yield f"{where} is {told!r}, and the cells say {found!r}"
