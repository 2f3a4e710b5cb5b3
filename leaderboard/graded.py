"""Outcomes beside success: at the mapper's own norm, over all strengths, and on scales that have no threshold.

Each is the share of native's effect, beyond the baseline, times 100, of the cells of a track that count and have it.
"""

from collections.abc import Callable, Mapping, Sequence
from math import copysign
from statistics import fmean
from typing import Any

from graftbench.benchmark.results.draws import Draws
from graftbench.benchmark.results.pooling import Place, Pooling
from graftbench.benchmark.results.schema import AtStrength, CellResult, Rate, Score
from graftbench.benchmark.results.scores import score_of_pooled

OWN_NORM = "mapped_own_norm"
REFIT = "mapped_shuffled"
CONDITIONS = ("mapped", "native", "random")
Effects = tuple[float, float]  # of mapped and of native, beyond the baseline
Cells = Mapping[Place, Sequence[CellResult]]


def graded(cells: Cells, pooling: Pooling) -> dict[str, Any]:
    """Return the outcomes of the cells of one track by name; None where no cell has them.

    `own_norm` is success at the mapper's own norm and native's strength, `equal_norm` that at native's norm in the same
    cells. `all_strengths` is the mean over the strengths that were tried, and `best_strength` the one that is best for
    each: both on validation prompts, against random vectors of the same strength. `refusal_score` is the log-odds that
    a reply begins as a refusal, and `shift` the log-likelihood that a reply in a style gains on its opposite.
    """
    measured = {
        "all_strengths": [_over_sweep(seeds, fmean) for seeds in cells.values()],
        "best_strength": [_over_sweep(seeds, max) for seeds in cells.values()],
        "refusal_score": [_of_rates(seeds, "measures", "refusal_score") for seeds in cells.values()],
        "shift": [_of_rates(seeds, "marks", "shift") for seeds in cells.values()],
    }
    return norms(cells, pooling, {}) | {name: _share(effects) for name, effects in measured.items()}


def norms(cells: Cells, pooling: Pooling, counted: Mapping[Place, Draws | None]) -> dict[str, float | None]:
    """Return the pooled transfer at native's norm and at the mapper's own, over the cells that have both."""
    both = {place: seeds for place, seeds in cells.items() if all(OWN_NORM in cell.bits for cell in seeds)}
    return {
        name: _transfer(both, pooling, counted, condition)
        for name, condition in (("equal_norm", "mapped"), ("own_norm", OWN_NORM))
    }


def of_refit(cells: Cells, pooling: Pooling, counted: Mapping[Place, Draws | None]) -> Score | None:
    """Return the score of the mapper as fitted on shuffled pairs, over the cells that have it; None where none has."""
    refitted = {place: seeds for place, seeds in cells.items() if all(REFIT in cell.bits for cell in seeds)}
    parts = [pooling.part(seeds, counted.get(place), REFIT) for place, seeds in refitted.items()]
    return score_of_pooled(pooling.pool(parts)) if parts else None


def _transfer(cells: Cells, pooling: Pooling, counted: Mapping[Place, Draws | None], condition: str) -> float | None:
    parts = [pooling.part(seeds, counted.get(place), condition) for place, seeds in cells.items()]
    pooled = pooling.pool(parts) if parts else None
    return None if pooled is None or pooled.gain <= 0 else round(100 * pooled.value, 4)


def _share(effects: Sequence[Effects | None]) -> float | None:
    """Return the summed effect of mapped over that of native, whichever way native moves a figure in each cell."""
    known = [effect for effect in effects if effect is not None]
    native = sum(abs(native) for _, native in known)
    mapped = sum(copysign(mapped, mapped * native) for mapped, native in known)
    return round(100 * mapped / native, 4) if native > 0 else None


def _over_sweep(seeds: Sequence[CellResult], of: Callable[[Sequence[float]], float]) -> Effects | None:
    """Return the effects over the strengths of a sweep, at each against random vectors of that strength."""
    swept = [_beyond_random(cell) for cell in seeds]
    known = [each for each in swept if each is not None]
    if len(known) < len(swept):
        return None
    return fmean(of(mapped) for mapped, _ in known), fmean(of(native) for _, native in known)


def _beyond_random(cell: CellResult) -> tuple[list[float], list[float]] | None:
    if not cell.sweep.keys() >= set(CONDITIONS):
        return None
    mapped, native, random = (_by_strength(cell.sweep[name]) for name in CONDITIONS)
    shared = [strength for strength in random if strength > 0 and strength in mapped and strength in native]
    if not shared:
        return None
    return [mapped[s] - random[s] for s in shared], [native[s] - random[s] for s in shared]


def _by_strength(points: Sequence[AtStrength]) -> dict[float, float]:
    return {point.strength: point.value for point in points}


def _of_rates(seeds: Sequence[CellResult], kind: str, name: str) -> Effects | None:
    """Return the effects on a figure that stands beside the rates of mapped, native and random."""
    mapped, native, random = (_mean([cell.rates.get(c) for cell in seeds], kind, name) for c in CONDITIONS)
    return None if mapped is None or native is None or random is None else (mapped - random, native - random)


def _mean(rates: Sequence[Rate | None], kind: str, name: str) -> float | None:
    figures = [None if rate is None else getattr(rate, kind).get(name) for rate in rates]
    known = [figure for figure in figures if figure is not None]
    return fmean(known) if known and len(known) == len(figures) else None
