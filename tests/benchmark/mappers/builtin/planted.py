"""Pairs whose relation is known, for tests of mappers."""

import numpy as np
import torch

from graftbench.benchmark.activations.pairs import ActivationPairs

D = 12


def pairs_of(source, target, per_text=10):
    return ActivationPairs(
        np.asarray(source, np.float32), np.asarray(target, np.float32), np.arange(0, len(source), per_text)
    )


def states(n=2000, d=D, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)) * np.linspace(0.2, 2, d) + 3


def fitted(mapper, pairs, seed=0):
    mapper.fit(pairs, seed=seed)
    return mapper


def fvu(mapper, pairs):
    with torch.no_grad():
        source, target = next(pairs.batches(len(pairs), None))
        return float((mapper(source) - target).square().sum() / (target - target.mean(0)).square().sum())


def shuffled(pairs, seed=0):
    order = np.random.default_rng(seed).permutation(len(pairs))
    return ActivationPairs(pairs.source, pairs.target[order], pairs.starts)


def linear_pairs(n=2000, d_source=D, d_target=7, noise=0.1, seed=0):
    """Pairs of one planted linear map, the same for every seed, with noise of a share of the target's spread."""
    matrix = np.random.default_rng(99).standard_normal((d_source, d_target))
    source, rng = states(n, d_source, seed), np.random.default_rng(seed + 1)
    target = source @ matrix
    return pairs_of(source, target + noise * target.std(0) * rng.standard_normal(target.shape))
