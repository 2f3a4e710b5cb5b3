"""Ranges of ranks: which mappers are better than which, however many are compared.

All pairs are compared at once. The critical value is that of the largest of all comparisons (Westfall and Young, 1993,
Resampling-based multiple testing), by simulation from the variances that the scores have; so all statements together
are right in 95 % of cases. The range of ranks follows from them (Mogstad, Romano, Shaikh and Wilhelm, 2024, Inference
for ranks, Review of Economic Studies 91).
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import sqrt

import numpy as np

from graftbench.benchmark.metrics.pooled import Floats, Pooled
from graftbench.benchmark.metrics.student import Z_95, t_of, z_of

LEAST_DIFFERENCE = 1.0  # of scores, in points: less is no difference that matters
SIMULATIONS = 2000
PAIRS_AT_A_TIME = 2**18  # of simulated differences: all of them, with 200 mappers, would take gigabytes
SEED = 0


@dataclass(frozen=True)
class Rank:
    """The best and the worst rank that a mapper may have."""

    best: int
    worst: int


def ranks(scores: Sequence[Pooled], identities: Sequence[Hashable]) -> list[Rank]:
    """Return the range of ranks of each mapper; those with the same identity count once, and share it."""
    first = {identity: i for i, identity in reversed(list(enumerate(identities)))}
    distinct = sorted(first.values())
    better = _better([scores[i] for i in distinct])
    own = [Rank(1 + int(better[:, i].sum()), len(distinct) - int(better[i].sum())) for i in range(len(distinct))]
    return [own[distinct.index(first[identity])] for identity in identities]


def difference(one: Pooled, other: Pooled) -> tuple[float, float, float]:
    """Return by how much one transfer is above another, with its 95 % interval; this one pair is compared alone."""
    spread = _Spread([one, other], np.array([[0], [1]]))
    variance, freedom = (float(each[0]) for each in spread.of_pairs(spread.of_seeds, spread.clusters))
    apart, reach = one.value - other.value, float(t_of(Z_95, freedom)) * sqrt(variance)
    return apart, apart - reach, apart + reach


def _better(scores: Sequence[Pooled]) -> np.ndarray:
    """Return which of some mappers [mappers, mappers] is better than which."""
    better = np.zeros((len(scores), len(scores)), dtype=bool)
    if len(scores) < 2:
        return better
    pairs = np.array(list(combinations(range(len(scores)), 2))).T
    values = np.array([score.value for score in scores])
    spread = _Spread(scores, pairs)
    apart = values[pairs[0]] - values[pairs[1]]
    significant = spread.normal(apart, spread.of_seeds, spread.clusters) > critical_value(spread)
    clear = significant & (100 * np.abs(apart) >= LEAST_DIFFERENCE)
    winners, losers = np.where(apart > 0, pairs, pairs[::-1])
    better[winners[clear], losers[clear]] = True
    return better


class _Spread:
    """Variances of the differences of scores: of prompts by cluster, of random draws, and of the mappers' seeds."""

    def __init__(self, scores: Sequence[Pooled], pairs: np.ndarray) -> None:
        self.pairs = pairs
        self.influence = np.stack([score.influence for score in scores]) * np.sqrt(scores[0].references.correction)
        self.of_prompts = ((self.influence[pairs[0]] - self.influence[pairs[1]]) ** 2).sum(1)
        drawn = [sum(variance for variance, _ in score.references.drawn) for score in scores]
        self.of_draws = np.array([-(1 - s.value) / s.gain * np.sqrt(v) for s, v in zip(scores, drawn, strict=True)])
        self.of_both = (self.of_draws[pairs[0]] - self.of_draws[pairs[1]]) ** 2
        seeded = [score.seeded for score in scores]
        self.of_seeds = np.array([v / s.gain**2 for s, (v, _) in zip(scores, seeded, strict=True)])
        self.freedom = np.array([freedom for _, freedom in seeded])
        self.clusters = max(1.0, scores[0].references.effective_clusters - 1)

    def normal(self, apart: Floats, of_seeds: Floats, clusters: float) -> Floats:
        """Return how unlikely differences [..., pairs] are, as normal values, given variances [..., mappers].

        `clusters` are the degrees of freedom of the variance of prompts; infinite where it is known.
        """
        variance, freedom = self.of_pairs(of_seeds, clusters)
        with np.errstate(divide="ignore", invalid="ignore"):
            z = z_of(apart / np.sqrt(variance), freedom)
        return np.where(variance > 0, z, np.where(apart == 0, 0.0, np.inf))

    def of_pairs(self, of_seeds: Floats, clusters: float) -> tuple[Floats, Floats]:
        """Return the variance of each difference [..., pairs] and its degrees of freedom."""
        one, other = of_seeds[..., self.pairs[0]], of_seeds[..., self.pairs[1]]
        variance = self.of_prompts + self.of_both + one + other
        parts = (self.of_prompts + self.of_both) ** 2 / clusters
        parts = parts + one**2 / self.freedom[self.pairs[0]] + other**2 / self.freedom[self.pairs[1]]
        return variance, variance**2 / np.maximum(parts, 1e-300)


def critical_value(spread: _Spread) -> float:
    """Return what the largest of all comparisons exceeds in 5 % of cases where all mappers are equally good."""
    rng = np.random.default_rng(SEED)
    n_mappers, n_clusters = spread.influence.shape
    prompts = rng.standard_normal((SIMULATIONS, n_clusters)) @ spread.influence.T
    draws = rng.standard_normal((SIMULATIONS, 1)) * spread.of_draws
    seeds = rng.standard_normal((SIMULATIONS, n_mappers)) * np.sqrt(spread.of_seeds)
    estimated = spread.of_seeds * rng.chisquare(spread.freedom, (SIMULATIONS, n_mappers)) / spread.freedom
    simulated = prompts + draws + seeds
    n_blocks = 1 + SIMULATIONS * spread.pairs.shape[1] // PAIRS_AT_A_TIME
    blocks = np.array_split(np.arange(SIMULATIONS), min(n_blocks, SIMULATIONS))
    largest = [_largest(spread, simulated[rows], estimated[rows]) for rows in blocks]
    return round(float(np.quantile(np.concatenate(largest), 0.95)), 2)


def _largest(spread: _Spread, simulated: Floats, of_seeds: Floats) -> Floats:
    """Return the largest comparison in each of some simulations; both [simulations, mappers]."""
    apart = simulated[:, spread.pairs[0]] - simulated[:, spread.pairs[1]]
    return np.asarray(spread.normal(apart, of_seeds, np.inf).max(1))
