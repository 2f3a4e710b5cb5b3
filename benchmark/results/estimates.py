"""What follows from the bits of a cell alone: rates, transfer, and whether it can be steered.

Bits are, for each condition, the success of every prompt in every draw, `[draws][prompts]`.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from graftbench.benchmark.metrics.statistics import (
    Bits,
    Interval,
    Resamples,
    is_steerable,
    one_of,
    resampled,
    transfer,
    wilson,
)

BOOTSTRAP_SEED = 0
Successes = Mapping[str, list[list[int]]]


def bits_of(bits: Successes, condition: str) -> Bits:
    """The bits of a condition, [draws, prompts]."""
    return np.array(bits[condition], dtype=float)


def resamples_of(clusters: Sequence[str], bits: Successes, baseline: str) -> Resamples:
    """The resamples of a cell's prompts and of its baseline's draws, the same for all cells on the same prompts."""
    return resampled(clusters, len(bits.get(baseline, [[]])), BOOTSTRAP_SEED)


def rate_of(bits: Successes, condition: str, drawn: Resamples) -> Interval:
    """The success rate of a condition: with Wilson's interval, or where it has draws with their spread."""
    found = bits_of(bits, condition)
    low, high = wilson(int(found.sum()), found.size) if len(found) == 1 else _spread(found, drawn)
    return _rounded(Interval(float(found.mean()), low, high))


def transfer_of(bits: Successes, baseline: str, drawn: Resamples) -> Interval:
    """The transfer of the mapped condition. ValueError where native adds nothing."""
    mapped, native, base = (bits_of(bits, name) for name in ("mapped", "native", baseline))
    return _rounded(transfer(mapped, native, base, drawn))


def steerable(bits: Successes, baseline: str, drawn: Resamples) -> bool:
    """Whether native beats the baseline, where both were run."""
    return is_steerable(bits_of(bits, "native"), bits_of(bits, baseline), drawn)


def _spread(bits: Bits, drawn: Resamples) -> tuple[float, float]:
    if len(bits) != drawn.draws.shape[1]:
        draws = one_of(np.random.default_rng((BOOTSTRAP_SEED, len(bits))), len(bits), len(drawn.clusters))
        drawn = Resamples(drawn.clusters, draws, drawn.member)
    low, high = np.quantile(drawn.rate(bits), [0.025, 0.975])
    return float(low), float(high)


def _rounded(found: Interval) -> Interval:
    return Interval(round(found.value, 4), round(found.low, 4), round(found.high, 4))
