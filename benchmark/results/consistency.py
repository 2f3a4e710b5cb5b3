"""Check that an entry follows from its own bits: rates, transfer, steerability and scores."""

from collections.abc import Iterator

from graftbench.benchmark.core.names import cell_name
from graftbench.benchmark.metrics.statistics import Resamples
from graftbench.benchmark.results.estimates import draws_of, rate_of, resamples_of, steerable
from graftbench.benchmark.results.schema import NOT_STEERABLE, CellResult, Entry, Limits, Rate, Transfer
from graftbench.benchmark.results.scores import CELLS_LEFT_OUT, headline
from graftbench.benchmark.results.transfers import cell_transfer

MAX_DRAWS = 1000  # of one condition
ONE_DRAW = (
    "unsteered",
    "native",
    "mapped",
    "mapped_own_norm",
    "mapped_best",
    "mapped_shuffled",
)  # conditions without random draws
_TOLERANCE = 2e-4  # relative: figures are rounded, and come from other machines


def problems(entry: Entry) -> list[str]:
    """Return all that does not follow from the bits of an entry, in one sentence each."""
    inconsistent = [
        f"{cell_name(cell.task, cell.variant, cell.pair, cell.track, cell.seed)}: {problem}"
        for cell in entry.cells
        for problem in problems_of_cell(cell)
    ]
    if inconsistent:  # scores that follow from these would be wrong, too
        return inconsistent
    stated = entry.headline
    recomputed = headline(entry.cells, filtered=stated.reason == CELLS_LEFT_OUT, left_out=stated.left_out)
    return [f"headline: {what}" for what in _mismatches(stated.model_dump(), recomputed.model_dump())]


def problems_of_cell(cell: CellResult) -> Iterator[str]:
    """Yield all that does not follow from the bits of a cell, in one sentence each."""
    if cell.status != "ok":
        if cell.check or not (cell.bits or cell.transfer or cell.steerable):
            return
        yield f"it {cell.status}, and has results"
        return
    malformed = list(_malformed(cell))
    yield from malformed
    if malformed or cell.transfer is None:
        return
    resamples = resamples_of(cell.clusters, cell.bits, cell.transfer.baseline)
    for name in cell.bits:
        yield from _rate_mismatches(name, cell.rates[name], vars(rate_of(cell.bits, name, resamples)))
    can_be_steered = _can_be_steered(cell, resamples)
    if cell.steerable != can_be_steered:
        yield f"`steerable` is {cell.steerable}, and the bits say {can_be_steered}"
    elif can_be_steered and "mapped" in cell.bits:
        yield from _transfer_mismatches(cell, cell.transfer, resamples)
    elif cell.transfer.value is not None or not cell.transfer.reason:
        yield "it has a transfer, and nothing to have it from"


def _transfer_mismatches(cell: CellResult, stated: Transfer, resamples: Resamples) -> Iterator[str]:
    recomputed = cell_transfer(cell.clusters, cell.bits, stated.baseline, resamples)
    if recomputed.value is not None and not _near(stated.value, recomputed.value):
        yield f"transfer.value is {stated.value}, and the bits say {recomputed.value}"
    for name in ("confidence", "prediction"):
        mine, theirs = getattr(stated, name), getattr(recomputed, name)
        if not _all_near(mine, theirs):
            yield f"transfer.{name} is {_words(mine)}, and the bits say {_words(theirs)}"


def _all_near(stated: Limits | None, recomputed: Limits | None) -> bool:
    if stated is None or recomputed is None:
        return stated is recomputed
    return all(_near(one, other) for one, other in zip(stated, recomputed, strict=True))


def _words(limits: Limits | None) -> str:
    return "nothing" if limits is None else f"{limits.low} to {limits.high}"


def _can_be_steered(cell: CellResult, resamples: Resamples) -> bool:
    """Return whether a cell can be steered by its bits; it cannot where there was nothing to map, and so no fit."""
    assert cell.transfer is not None
    not_fitted = cell.training is None and cell.cost is None and "mapped" not in cell.bits
    if "native" not in cell.bits or cell.transfer.baseline not in cell.bits:
        return False
    if not_fitted and cell.reason not in (None, NOT_STEERABLE):
        return False
    return steerable(cell.bits, cell.transfer.baseline, resamples)


def _malformed(cell: CellResult) -> Iterator[str]:
    """Yield contradictions among bits, rates and prompts; only without any can figures be recomputed."""
    n = len(cell.prompt_ids)
    if len(cell.clusters) != n or cell.n_prompts != n or n == 0:
        yield "prompts, clusters and their number differ, or there are none"
    if len(set(cell.prompt_ids)) != n:
        yield "a prompt is in it more than once"
    for name, draws in ((name, draws_of(cell.bits, name)) for name in cell.bits):
        if not 0 < len(draws) <= MAX_DRAWS or any(len(draw) != n for draw in draws.strings):
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


def _rate_mismatches(name: str, stated: Rate, recomputed: dict[str, float]) -> Iterator[str]:
    for part, value in recomputed.items():
        if not _near(getattr(stated, part), value):
            yield f"rates.{name}.{part} is {getattr(stated, part)}, and the bits say {value}"


def _near(stated: float | None, recomputed: float) -> bool:
    return stated is not None and abs(stated - recomputed) <= _TOLERANCE * max(1.0, abs(recomputed))


def _mismatches(stated: object, recomputed: object, where: str = "") -> Iterator[str]:
    """Yield where two nested records differ by more than rounding."""
    if isinstance(stated, dict) and isinstance(recomputed, dict):
        for name in sorted({*stated, *recomputed}):
            yield from _mismatches(stated.get(name), recomputed.get(name), f"{where}.{name}" if where else str(name))
    elif isinstance(stated, float) and isinstance(recomputed, float):
        if not _near(stated, recomputed):
            yield f"{where} is {stated}, and the cells say {recomputed}"
    elif stated != recomputed:
        yield f"{where} is {stated!r}, and the cells say {recomputed!r}"
