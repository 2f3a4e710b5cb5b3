"""What a mapper of random vectors would score, where their luck is planted."""

import numpy as np
import pytest

from graftbench.benchmark.metrics.null_band import null_band
from tests.benchmark.metrics.planted import World, draws, part_of, pooled

N_CELLS = 12


def cells(rng, spread, n_draws=16, n_more=0, native_rate=0.9):
    """Cells with random vectors, and the successes of more vectors, which are no part of the baseline."""
    world = World(rng, 80, 100, N_CELLS)
    for i in range(N_CELLS):
        bits = world.bits(i, draws(rng, 0.1, spread, n_draws + n_more), 0.2)
        native = world.bits(i, native_rate, 0.7)
        yield part_of(world.clusters, bits[:n_more], native, bits[n_more:], f"set {i}", i)


def band(rng, spread, n_seeds=1, **more):
    return null_band(pooled(*cells(rng, spread, n_more=1, **more)).references, n_seeds)


@pytest.mark.parametrize("n_seeds", [1, 3])
def test_mappers_of_random_vectors_are_within_it_as_often_as_it_says(n_seeds):
    rng, within = np.random.default_rng(1), 0
    for _ in range(150):
        mapper = pooled(*cells(rng, 0.06, n_more=n_seeds))
        low, high = null_band(mapper.references, n_seeds)
        within += low <= mapper.value <= high
    assert 0.95 * 150 - 3 * 2.67 <= within <= 149  # three standard errors


def test_it_is_about_nothing_and_wider_where_random_vectors_scatter_and_narrower_over_seeds():
    rng = np.random.default_rng(2)
    (low, high), (narrow, _), (_, wide) = band(rng, 0.06), band(rng, 0.06, 3), band(rng, 0.15)
    assert low < narrow < 0 < high < wide


@pytest.mark.parametrize("n_draws", [1, 16])
def test_there_is_none_where_native_adds_nothing_to_any_of_the_vectors(n_draws):
    references = pooled(*cells(np.random.default_rng(5), 0.02, n_draws, n_more=1, native_rate=0.01)).references
    assert null_band(references, 1) is None


def test_a_baseline_of_one_intervention_has_no_luck():
    assert band(np.random.default_rng(3), 0.06, n_draws=1) == (0, 0)


def test_it_is_the_same_every_time():
    one, other = (band(np.random.default_rng(4), 0.06) for _ in range(2))
    assert one == other
