"""What a mapper would score that brings random vectors, other ones in each cell and with each seed.

As many random draws as the mapper has seeds stand for such a mapper, against the mean of the others. Prompts are as
they are: the band is of the luck of vectors alone.
"""

from functools import lru_cache

import numpy as np

from graftbench.benchmark.metrics.pooled import Floats, PooledReferences
from graftbench.benchmark.metrics.statistics import interval

SIMULATIONS = 4000
SEED = 0


def null_band(references: PooledReferences, n_seeds: int) -> tuple[float, float] | None:
    """Return the 2.5 % and 97.5 % quantiles of the transfer of such mappers, over some cells with some seeds.

    None where native is no better than the vectors that stay, whichever are left out.
    """
    draws = tuple(part.baseline.tobytes() for part in references.parts)
    return _band(draws, sum(part.native for part in references.parts), n_seeds)


@lru_cache(maxsize=2**12)  # mappers have their references in common
def _band(draws: tuple[bytes, ...], native: float, n_seeds: int) -> tuple[float, float] | None:
    """Return the band, given the successes of each random draw in each cell, and those of native in all cells."""
    rng = np.random.default_rng(SEED)
    mapped, baseline = np.zeros(SIMULATIONS), np.zeros(SIMULATIONS)
    for of_cell in draws:
        chosen, others = _left_out(np.frombuffer(of_cell), n_seeds, rng)
        mapped, baseline = mapped + chosen, baseline + others
    gain = native - baseline
    gains = gain > 0
    return interval((mapped - baseline)[gains] / gain[gains]) if gains.any() else None


def _left_out(draws: Floats, n: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return the mean successes of `n` draws that are left out, and of the draws that stay, both [simulations].

    A baseline of one intervention, such as the mean activation, has no luck.
    """
    if len(draws) == 1:
        return np.full(SIMULATIONS, draws[0]), np.full(SIMULATIONS, draws[0])
    n = min(n, len(draws) - 1)
    rows, order = np.arange(SIMULATIONS), np.tile(draws, (SIMULATIONS, 1))
    for i in range(n):  # the first steps of a shuffle
        at = rng.integers(i, len(draws), SIMULATIONS)
        chosen = order[rows, at]
        order[rows, at] = order[:, i]
        order[:, i] = chosen
    left_out = order[:, :n].sum(1)
    return left_out / n, (draws.sum() - left_out) / (len(draws) - n)
