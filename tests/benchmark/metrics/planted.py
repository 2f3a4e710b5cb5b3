"""Cells whose truth is known: bits of prompts in clusters, random vectors that scatter, and seeds with luck."""

from statistics import NormalDist

import numpy as np

from graftbench.benchmark.metrics.pooled import Part, Pooled, PooledReferences, References

OF_CLUSTER = 0.3  # of what is common to a prompt's answers
_NORMAL = NormalDist()


def part_of(clusters, mapped, native, baseline, draws="vectors", fit="fit"):
    """A cell from bits [seeds or draws, prompts]."""
    numbers, index = np.unique(clusters, return_inverse=True)
    member = np.eye(len(numbers))[index]

    def sums(bits):
        return (bits - bits.mean(1, keepdims=True)) @ member

    references = References(
        numbers,
        len(clusters),
        member.sum(0),
        float(native.sum()),
        baseline.sum(1),
        sums(native)[0],
        sums(baseline),
        draws,
    )
    return Part(references, fit, mapped.sum(1), sums(mapped))


def pooled(*parts):
    n = 1 + max(int(part.references.clusters.max()) for part in parts)
    return Pooled(PooledReferences(tuple(part.references for part in parts), n), parts)


class World:
    """Prompts of some cells, with what is common to all answers to a prompt: easy prompts, and easy clusters."""

    def __init__(self, rng, n_clusters, n_prompts, n_cells=1):
        self.rng = rng
        more = rng.integers(0, n_clusters, n_prompts - n_clusters)
        self.clusters = np.concatenate([np.arange(n_clusters), more])
        of_cluster = rng.standard_normal((n_cells, n_clusters)) + rng.standard_normal(n_clusters)
        own = rng.standard_normal((n_cells, n_prompts))
        self.common = np.sqrt(OF_CLUSTER / 2) * of_cluster[:, self.clusters] + np.sqrt(1 - OF_CLUSTER) * own

    def bits(self, cell, rates, share):
        """Answers [rows, prompts] that succeed at these rates; a share of what decides is common to all conditions."""
        rates = np.atleast_1d(rates)
        noise = self.rng.standard_normal((len(rates), len(self.clusters)))
        z = np.sqrt(share) * self.common[cell] + np.sqrt(1 - share) * noise
        at = np.array([_NORMAL.inv_cdf(min(max(rate, 1e-12), 1 - 1e-12)) for rate in rates])
        return (z < at[:, None]).astype(float)


def draws(rng, mean, sd, n=16):
    """Success rates of random vectors, which scatter."""
    if sd == 0:
        return np.full(n, mean)
    size = mean * (1 - mean) / sd**2 - 1
    return rng.beta(mean * size, (1 - mean) * size, n)


def with_luck(rate, luck):
    """Rates after luck, in units of the normal, whose mean over luck of this variance is the rate."""
    values, variance = luck
    at = _NORMAL.inv_cdf(rate) * np.sqrt(1 + variance)
    return np.array([_NORMAL.cdf(at + value) for value in np.atleast_1d(values)])
