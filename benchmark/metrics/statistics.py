"""How much of native's effect a mapped intervention has, beside random ones, with bootstrap intervals.

Prompts are drawn again in clusters that share content, one cluster fewer than there are, so that the spread of the
resamples is that of the estimate (Rao and Wu, 1988). Of the random draws a single one stands for all in each resample:
a vector that a mapper brings is one vector, too, and may be as lucky as any of them, so that an interval above 0 says
that it does better than random vectors do, and not only than they do on the mean.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import spearmanr

RESAMPLES = 2000
LEAST_EFFECT = 0.1  # native has to be this far above random, and surely above, for a cell to be steerable

Bits = NDArray[np.float64]  # [draws, prompts], 1 where the prompt succeeded
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Resamples:
    """The same prompts drawn again and again, each time with one of the draws: how often each is in each resample."""

    clusters: Floats  # [resamples, clusters]
    draws: Floats  # [resamples, draws], one of each row is 1
    member: NDArray[np.int64]  # the cluster of each prompt
    known: dict[bytes, Floats] = field(default_factory=dict, repr=False, compare=False)

    def rate(self, bits: Bits) -> Floats:
        """The success rate of a condition in each resample, in the draw of that resample where it has several.

        Rates are kept by bits: controls are the same for all mappers, and every score asks for them again. ValueError
        where it has several draws, and not as many as the baseline.
        """
        key = bits.tobytes()
        if key not in self.known:
            self.known[key] = self._rate(bits)
            self.known[key].setflags(write=False)
        return self.known[key]

    def _rate(self, bits: Bits) -> Floats:
        n_clusters = self.clusters.shape[1]
        sums = np.stack([np.bincount(self.member, weights=row, minlength=n_clusters) for row in bits])
        sizes = np.bincount(self.member, minlength=n_clusters)
        by_draw = self.clusters @ sums.T / (self.clusters @ sizes)[:, None]
        if len(bits) == 1:
            return np.asarray(by_draw[:, 0])
        if len(bits) != self.draws.shape[1]:
            raise ValueError(f"a condition has {len(bits)} draws, and the baseline {self.draws.shape[1]}")
        return np.asarray((by_draw * self.draws).sum(1))


def resampled(clusters: Sequence[str], n_draws: int, seed: int, n: int = RESAMPLES) -> Resamples:
    """Resamples of prompts in these clusters and of so many random draws."""
    return _resampled(tuple(clusters), n_draws, seed, n)


@lru_cache(maxsize=64)  # tracks and seeds share their prompts
def _resampled(clusters: tuple[str, ...], n_draws: int, seed: int, n: int) -> Resamples:
    names = sorted(set(clusters))
    where = {name: i for i, name in enumerate(names)}
    rng = np.random.default_rng(seed)
    return Resamples(
        counts_of(rng, len(names), n), one_of(rng, n_draws, n), np.array([where[cluster] for cluster in clusters])
    )


def counts_of(rng: np.random.Generator, of: int, n: int) -> Floats:
    """How often each of so many is drawn, in `n` resamples of one fewer [n, of]; once where there is but one."""
    if of == 1:
        return np.ones((n, 1))
    return rng.multinomial(of - 1, np.full(of, 1 / of), size=n).astype(float)


def one_of(rng: np.random.Generator, of: int, n: int) -> Floats:
    """Which one of so many is drawn, as 1 among zeros, in `n` resamples [n, of]."""
    return rng.multinomial(1, np.full(of, 1 / of), size=n).astype(float)


def difference(a: Bits, b: Bits, drawn: Resamples) -> Interval:
    """Rate of `a` minus rate of `b`, paired by prompt."""
    return _interval(float(a.mean() - b.mean()), drawn.rate(a) - drawn.rate(b))


def is_steerable(native: Bits, random: Bits, drawn: Resamples) -> bool:
    """Whether native beats random: surely, and by a tenth."""
    gain = difference(native, random, drawn)
    return gain.low > 0 and gain.value >= LEAST_EFFECT


def transfer(mapped: Bits, native: Bits, baseline: Bits, drawn: Resamples) -> Interval:
    """(rate(mapped) - rate(baseline)) / (rate(native) - rate(baseline)); ValueError where native adds nothing."""
    below = float(native.mean() - baseline.mean())
    if below <= 0:
        raise ValueError("native has no effect to transfer")
    base = drawn.rate(baseline)
    gains = drawn.rate(native) - base
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = (drawn.rate(mapped) - base) / gains
    return _interval(float(mapped.mean() - baseline.mean()) / below, ratios[gains > 0])


def _interval(value: float, resamples: Floats) -> Interval:
    low, high = np.quantile(resamples, [0.025, 0.975])
    return Interval(value, float(low), float(high))


_Z95 = 1.959963984540054


def wilson(hits: int, n: int) -> tuple[float, float]:
    """The 95 % score interval of a proportion: Wilson (1927). ValueError without observations."""
    if n <= 0:
        raise ValueError("a proportion needs at least one observation")
    p, z2 = hits / n, _Z95**2
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z95 / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def rank_correlation(a: ArrayLike, b: ArrayLike) -> float | None:
    """Spearman's correlation of paired values; None where there are too few, or one of them is always the same."""
    if np.size(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    value = float(spearmanr(a, b).statistic)
    return None if np.isnan(value) else round(value, 4)
