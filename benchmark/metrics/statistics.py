"""Transfer: the share of native's effect that a mapped intervention has, from a random baseline, with intervals.

Prompts are resampled in clusters that share content, one cluster fewer than there are, so that the spread of the
resamples is that of the estimate (Rao and Wu, 1988). In each resample a single random draw stands for the baseline: a
mapped vector is one vector too, and may be as lucky as any of them. An interval above 0 therefore says that the mapper
beats a single random vector, and not only their mean: it is a prediction interval. `ratio` has the confidence interval.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import floor, sqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

RESAMPLES = 2000
_CACHED_RATES = 512  # for each set of resamples: 16 kB each
MIN_EFFECT = 0.1  # native has to be this far above random, and significantly above, for a cell to be steerable

Bits = NDArray[np.float64]  # [draws, prompts], 1 where the prompt succeeded
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Resamples:
    """Bootstrap weights of the clusters of prompts, and one random draw for each resample."""

    clusters: Floats  # [resamples, clusters], how often each cluster is drawn
    draws: Floats  # [resamples, draws], one of each row is 1
    member: NDArray[np.int64]  # [prompts], the cluster of each prompt
    cached: dict[bytes, Floats] = field(default_factory=dict, repr=False)

    def rate(self, bits: Bits) -> Floats:
        """Return the success rate [resamples] of bits [draws, prompts], in the draw of each resample where several.

        Rates are cached by bits: controls are the same for all mappers, and every score asks for them again. ValueError
        where the condition has several draws, and not as many as the baseline.
        """
        key = bits.tobytes()
        known = self.cached.pop(key, None)
        if known is None:
            known = self._rate(bits)
            known.setflags(write=False)
        self.cached[key] = known  # the last: the first is forgotten first
        if len(self.cached) > _CACHED_RATES:
            del self.cached[next(iter(self.cached))]
        return known

    def _rate(self, bits: Bits) -> Floats:
        n_clusters = self.clusters.shape[1]
        sums = np.stack([np.bincount(self.member, weights=row, minlength=n_clusters) for row in bits])
        sizes = np.bincount(self.member, minlength=n_clusters)
        by_draw = self.clusters @ sums.T / (self.clusters @ sizes)[:, None]
        if len(bits) == 1:
            return np.ascontiguousarray(by_draw[:, 0])
        if len(bits) != self.draws.shape[1]:
            raise ValueError(f"a condition has {len(bits)} draws, and the baseline {self.draws.shape[1]}")
        return np.asarray((by_draw * self.draws).sum(1))


def resample(clusters: Sequence[str], n_draws: int, seed: int, n: int = RESAMPLES) -> Resamples:
    """Return `n` resamples of prompts in these clusters and of `n_draws` random draws."""
    return _resample(tuple(clusters), n_draws, seed, n)


@lru_cache(maxsize=64)  # tracks and seeds share their prompts
def _resample(clusters: tuple[str, ...], n_draws: int, seed: int, n: int) -> Resamples:
    names = sorted(set(clusters))
    index = {name: i for i, name in enumerate(names)}
    counts, then = _counts(len(names), seed, n)
    rng = np.random.default_rng()
    rng.bit_generator.state = then
    return Resamples(counts, resample_one(rng, n_draws, n), np.array([index[cluster] for cluster in clusters]))


@lru_cache(maxsize=64)  # cells with as many clusters share them, whatever the names and the number of draws
def _counts(n_clusters: int, seed: int, n: int) -> tuple[Floats, Mapping[str, Any]]:
    """Return how often each cluster is drawn [n, n_clusters], and the state of the generator after that."""
    rng = np.random.default_rng(seed)
    counts = resample_counts(rng, n_clusters, n)
    counts.setflags(write=False)
    return counts, rng.bit_generator.state


def resample_counts(rng: np.random.Generator, of: int, n: int) -> Floats:
    """Draw `of - 1` of `of` units with replacement, `n` times; counts [n, of], ones where there is a single unit."""
    if of == 1:
        return np.ones((n, 1))
    return rng.multinomial(of - 1, np.full(of, 1 / of), size=n).astype(float)


def resample_one(rng: np.random.Generator, of: int, n: int) -> Floats:
    """Draw one of `of` units, `n` times; one-hot rows [n, of]."""
    return rng.multinomial(1, np.full(of, 1 / of), size=n).astype(float)


def difference(a: Bits, b: Bits, resamples: Resamples) -> Interval:
    """Return the rate of `a` minus the rate of `b`, paired by prompt; both [draws, prompts]."""
    value = float(a.mean() - b.mean())
    return Interval(value, *interval(resamples.rate(a) - resamples.rate(b)))


def is_steerable(native: Bits, random: Bits, resamples: Resamples) -> bool:
    """Return True where native beats random significantly and by at least `MIN_EFFECT`; both [draws, prompts]."""
    gain = difference(native, random, resamples)
    return gain.low > 0 and gain.value >= MIN_EFFECT


def transfer(mapped: Bits, native: Bits, baseline: Bits, resamples: Resamples) -> Interval:
    """Return (rate(mapped) - rate(baseline)) / (rate(native) - rate(baseline)); all [draws, prompts].

    Its interval is a prediction interval. ValueError where native adds nothing.
    """
    native_gain = float(native.mean() - baseline.mean())
    if native_gain <= 0:
        raise ValueError("native has no effect to transfer")
    base = resamples.rate(baseline)
    gains = resamples.rate(native) - base
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = (resamples.rate(mapped) - base) / gains
    return Interval(float(mapped.mean() - baseline.mean()) / native_gain, *interval(ratios[gains > 0]))


def interval(values: ArrayLike, *, skip_nan: bool = False) -> tuple[float, float]:
    """Return the 2.5 % and 97.5 % quantiles of resampled values [resamples]; NaN where there are none."""
    low, high = quantiles(values, (0.025, 0.975), skip_nan=skip_nan)
    return low, high


def quantiles(values: ArrayLike, shares: Sequence[float], *, skip_nan: bool = False) -> list[float]:
    """Return quantiles of values [n], the same as those of `numpy.quantile`, which takes several times as long."""
    known = np.asarray(values, dtype=float)
    known = known[~np.isnan(known)] if skip_nan else known
    if len(known) == 0 or np.isnan(known).any():
        return [float("nan") for _ in shares]
    places = [share * (len(known) - 1) for share in shares]
    first = [floor(place) for place in places]
    next_ = [min(i + 1, len(known) - 1) for i in first]
    ordered = np.partition(known, sorted({*first, *next_}))
    return [_between(float(ordered[i]), float(ordered[j]), p - i) for i, j, p in zip(first, next_, places, strict=True)]


def _between(low: float, high: float, part: float) -> float:
    """Return the point at a part of the way between two values, counted from the nearer one."""
    return low + (high - low) * part if part < 0.5 else high - (high - low) * (1 - part)


_Z = 1.959963984540054  # the 97.5 % quantile of the normal distribution


@lru_cache(maxsize=2**14)
def wilson(hits: int, n: int) -> tuple[float, float]:
    """Return the 95 % score interval of a proportion: Wilson (1927). ValueError without observations."""
    if n <= 0:
        raise ValueError("a proportion needs at least one observation")
    share = hits / n
    twice = 2 * (n + _Z**2)
    centre = (2 * n * share + _Z**2) / twice
    reach = _Z / twice * sqrt(4 * n * share * (1 - share) + _Z**2)
    return (0.0 if hits == 0 else centre - reach), (1.0 if hits == n else centre + reach)


def rank_correlation(a: ArrayLike, b: ArrayLike) -> float | None:
    """Return Spearman's correlation of paired values; None for fewer than two, or where one side is constant."""
    if np.size(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    from scipy.stats import spearmanr  # takes longer to load than a leaderboard to build

    value = float(spearmanr(a, b).statistic)
    return None if np.isnan(value) else round(value, 4)
