"""Rates, transfer and steerability of a cell, estimated from its bits.

Bits are the success, 0 or 1, of every prompt in every draw of a condition: [draws, prompts].
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np

from graftbench.benchmark.metrics.statistics import (
    Bits,
    Interval,
    Resamples,
    interval,
    is_steerable,
    resample,
    resample_one,
    transfer,
    wilson,
)
from graftbench.benchmark.results.draws import Draws

BOOTSTRAP_SEED = 0
BitsByCondition = Mapping[str, Draws | Sequence[Sequence[int]]]

# Seeds, tracks and mappers share the bits of most conditions: what follows from bits is computed once for equal ones.
_once = lru_cache(maxsize=2**14)


def draws_of(bits: BitsByCondition, condition: str) -> Draws:
    """Return the bits of a condition, packed; KeyError where it was not run."""
    return Draws.of(bits[condition])


def resamples_of(clusters: Sequence[str], bits: BitsByCondition, baseline: str) -> Resamples:
    """Resample a cell's prompts and its baseline's draws; the same for all cells on the same prompts."""
    return resample(clusters, len(bits.get(baseline, [[]])), BOOTSTRAP_SEED)


def rate_of(bits: BitsByCondition, condition: str, resamples: Resamples) -> Interval:
    """Return the success rate of a condition with its interval: Wilson's, or of the resamples where it has draws."""
    return _rate(draws_of(bits, condition), resamples)


def transfer_of(bits: BitsByCondition, baseline: str, resamples: Resamples) -> Interval:
    """Return the transfer of the mapped condition with its prediction interval, against a single random vector.

    ValueError where native is no better than the baseline.
    """
    return _transfer(*(draws_of(bits, name) for name in ("mapped", "native", baseline)), resamples)


def steerable(bits: BitsByCondition, baseline: str, resamples: Resamples) -> bool:
    """Return whether native significantly beats the baseline; KeyError where either was not run."""
    return _steerable(draws_of(bits, "native"), draws_of(bits, baseline), resamples)


@_once
def _rate(draws: Draws, resamples: Resamples) -> Interval:
    successes = draws.array
    one_draw = len(successes) == 1
    low, high = wilson(int(successes.sum()), successes.size) if one_draw else _spread(successes, resamples)
    return _rounded(Interval(float(successes.mean()), low, high))


@_once
def _transfer(mapped: Draws, native: Draws, baseline: Draws, resamples: Resamples) -> Interval:
    return _rounded(transfer(mapped.array, native.array, baseline.array, resamples))


@_once
def _steerable(native: Draws, baseline: Draws, resamples: Resamples) -> bool:
    return is_steerable(native.array, baseline.array, resamples)


def _spread(bits: Bits, resamples: Resamples) -> tuple[float, float]:
    """Return the interval of the rate of bits [draws, prompts] over the resamples."""
    if len(bits) != resamples.draws.shape[1]:  # drawn apart from the baseline
        draws = resample_one(np.random.default_rng((BOOTSTRAP_SEED, len(bits))), len(bits), len(resamples.clusters))
        resamples = Resamples(resamples.clusters, draws, resamples.member)
    return interval(resamples.rate(bits))


def _rounded(exact: Interval) -> Interval:
    return Interval(round(exact.value, 4), round(exact.low, 4), round(exact.high, 4))
