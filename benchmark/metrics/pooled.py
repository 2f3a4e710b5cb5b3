"""Transfer over one cell or pooled over many, with its variance: prompts by cluster, random draws, a mapper's seeds.

A pooled transfer is (M - R) / (N - R), where M, N and R are the rates of mapped, native and the baseline over all
prompts of some cells; R is the mean over all draws. Three things could have come out otherwise:

- the clusters of prompts, known by name: one cluster has prompts in many cells, and moves them together;
- the random draws: cells that share their random vectors share their luck;
- the seeds of the mapper. The same seed may be good luck in all cells, or each fit may have luck of its own. Both
  variances are estimated, and the larger one counts: over 20,000 simulated scores each, intervals cover 93 to 97 % with
  it whatever the share of the luck that fits have in common, and 71 % with the second alone.

Each has a variance by linearisation. What prompts and seeds (or draws) do together is in both, and is taken off once
(Owen, 2007, The pigeonhole bootstrap, Annals of Applied Statistics 1). The number of prompts of a cell is given, so
that prompts are centred in their cell.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from graftbench.benchmark.metrics.student import freedom_of

Bits = NDArray[np.float64]  # [draws or seeds, prompts], 1 where the prompt succeeded
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class References:
    """What native and the baseline did in one cell, summed by cluster; the same for all mappers.

    Only prompts with a weight of 1 count as successes. Sums are centred in the cell.
    """

    clusters: NDArray[np.int64]  # [clusters of the cell], the number of each among all clusters
    n_prompts: int
    weight: Floats  # [clusters], how many prompts count
    native: float  # successes
    baseline: Floats  # [draws], successes
    native_sums: Floats  # [clusters]
    baseline_sums: Floats  # [draws, clusters]
    draws: Hashable  # cells with the same random vectors have the same


@dataclass(frozen=True, eq=False)
class Part:
    """One cell of a mapper: its references, and its successes with every seed, summed by cluster."""

    references: References
    fit: Hashable  # cells with the same fit of the mapper have the same
    mapped: Floats  # [seeds], successes
    mapped_sums: Floats  # [seeds, clusters], centred in the cell

    @cached_property
    def interaction(self) -> float:
        """The variance of the mean over seeds, in successes, that comes from prompts and seeds together."""
        return interaction(self.mapped_sums, len(self.references.clusters))


@dataclass(frozen=True, eq=False)
class PooledReferences:
    """Rates of native and the baseline over all prompts of some cells, with what makes up their variance."""

    parts: tuple[References, ...]
    n_clusters: int  # among all cells of a leaderboard

    @cached_property
    def n_prompts(self) -> int:
        """The number of prompts of all cells."""
        return sum(part.n_prompts for part in self.parts)

    @cached_property
    def present(self) -> int:
        """The number of clusters that have a prompt in these cells."""
        return len({cluster for part in self.parts for cluster in part.clusters.tolist()})

    @cached_property
    def native(self) -> float:
        """The rate of native."""
        return sum(part.native for part in self.parts) / self.n_prompts

    @cached_property
    def baseline(self) -> float:
        """The mean rate of the baseline over its draws."""
        return sum(float(part.baseline.mean()) for part in self.parts) / self.n_prompts

    @cached_property
    def possible(self) -> float:
        """The share of prompts that count: the most that a mapper can reach."""
        return sum(float(part.weight.sum()) for part in self.parts) / self.n_prompts

    @cached_property
    def effective_clusters(self) -> float:
        """The number of clusters of equal size that would be worth as much: Kish (1965), Survey Sampling."""
        sizes = self.spread([part.weight for part in self.parts])
        return float(sizes.sum() ** 2 / (sizes**2).sum()) if sizes.any() else 1.0

    @cached_property
    def sums(self) -> Floats:
        """How much each cluster adds to the rates of native and of the baseline [2, clusters]."""
        native = self.spread([part.native_sums for part in self.parts])
        baseline = self.spread([part.baseline_sums.mean(0) for part in self.parts])
        return np.stack([native, baseline]) / self.n_prompts

    @cached_property
    def drawn(self) -> list[tuple[float, int]]:
        """The variance of the baseline's rate from each set of random draws, and its degrees of freedom."""
        sets: dict[Hashable, list[References]] = {}
        for part in self.parts:
            if len(part.baseline) > 1:
                sets.setdefault(part.draws, []).append(part)
        return [(self._of_draws(parts), len(parts[0].baseline) - 1) for parts in sets.values()]

    def _of_draws(self, parts: Sequence[References]) -> float:
        n = len(parts[0].baseline)
        rates = np.sum([part.baseline for part in parts], axis=0) / self.n_prompts
        sums = np.zeros((n, self.n_clusters))
        for part in parts:
            sums[:, part.clusters] += part.baseline_sums
        return max(0.0, float(rates.var(ddof=1)) / n - interaction(sums / self.n_prompts, self.present))

    @property
    def correction(self) -> float:
        """What turns a sum of squares over clusters into a variance without bias."""
        return _correction(self.present)

    def spread(self, by_part: Sequence[Floats]) -> Floats:
        """Return sums [clusters] over all cells, given those of each cell."""
        sums = np.zeros(self.n_clusters)
        for part, own in zip(self.parts, by_part, strict=True):
            sums[part.clusters] += own
        return sums


@dataclass(frozen=True, eq=False)
class Pooled:
    """The transfer of a mapper over some cells: its rates, and what makes up their variance."""

    references: PooledReferences
    parts: tuple[Part, ...] = field(repr=False)

    @cached_property
    def by_seed(self) -> Floats:
        """The rate of mapped with each seed [seeds]."""
        return np.asarray(np.sum([part.mapped for part in self.parts], axis=0) / self.references.n_prompts)

    @cached_property
    def mapped(self) -> float:
        """The mean rate of mapped over seeds."""
        return float(self.by_seed.mean())

    @property
    def gain(self) -> float:
        """By how much native's rate is above the baseline's."""
        return self.references.native - self.references.baseline

    @property
    def value(self) -> float:
        """The transfer; ZeroDivisionError where native adds nothing."""
        return (self.mapped - self.references.baseline) / self.gain

    @cached_property
    def seed_sums(self) -> Floats:
        """How much each cluster adds to the rate of mapped with each seed [seeds, clusters]."""
        sums = np.zeros((len(self.by_seed), self.references.n_clusters))
        for part in self.parts:
            sums[:, part.references.clusters] += part.mapped_sums
        return sums / self.references.n_prompts

    @cached_property
    def seeded(self) -> tuple[float, float]:
        """The variance of the rate of mapped from its seeds, and its degrees of freedom."""
        n = len(self.by_seed)
        if n == 1:
            return 0.0, 1.0
        crossed = float(self.by_seed.var(ddof=1)) / n - interaction(self.seed_sums, self.references.present)
        by_fit = [max(0.0, each) for each in self._of_fits()]
        apart = sum(by_fit)
        return (crossed, n - 1.0) if crossed >= apart else (apart, freedom_of(by_fit, [n - 1.0] * len(by_fit)))

    def _of_fits(self) -> list[float]:
        """Return the variance of the rate of mapped from the seeds of each fit."""
        fits: dict[Hashable, list[Part]] = {}
        for part in self.parts:
            fits.setdefault(part.fit, []).append(part)
        n, squared = len(self.by_seed), self.references.n_prompts**2
        return [
            (float(np.sum([p.mapped for p in own], axis=0).var(ddof=1)) / n - sum(p.interaction for p in own)) / squared
            for own in fits.values()
        ]

    @cached_property
    def covariance(self) -> Floats:
        """Covariances [3, 3] of the rates of mapped, native and the baseline from the clusters of prompts."""
        sums = np.concatenate([self.seed_sums.mean(0, keepdims=True), self.references.sums])
        return np.asarray(self.references.correction * sums @ sums.T)

    @cached_property
    def influence(self) -> Floats:
        """How much each cluster adds to the transfer [clusters]."""
        native, baseline = self.references.sums
        value = self.value
        return np.asarray((self.seed_sums.mean(0) - value * native - (1 - value) * baseline) / self.gain)

    @property
    def components(self) -> list[tuple[float, float]]:
        """The variances of the transfer, from clusters, seeds and each set of draws, with their degrees of freedom."""
        ours, value = self.references, self.value
        of_clusters = ours.correction * float((self.influence**2).sum())
        of_draws = [(((1 - value) / self.gain) ** 2 * each, float(n)) for each, n in ours.drawn]
        seeded, freedom = self.seeded
        return [(of_clusters, max(1.0, ours.effective_clusters - 1)), (seeded / self.gain**2, freedom), *of_draws]


def interaction(sums: Floats, n_clusters: int) -> float:
    """Return the variance of a mean over rows that comes from prompts and rows together; sums [rows, clusters]."""
    n = len(sums)
    apart = sums - sums.mean(0)
    return _correction(n_clusters) * float((apart**2).sum()) / (n * (n - 1)) if n > 1 else 0.0


def _correction(n_clusters: int) -> float:
    return n_clusters / max(1, n_clusters - 1)
