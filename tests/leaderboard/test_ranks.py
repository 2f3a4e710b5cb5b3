"""Ranges of ranks: neither noise nor clones nor many comparisons make a rank."""

import numpy as np

from graftbench.leaderboard.ranks import Rank, ranks
from tests.benchmark.metrics.planted import World, part_of, pooled

N_MAPPERS = 12


def mappers(rng, rates, n_seeds=1, luck=0.0):
    world = World(rng, 60, 90)
    native, baseline = world.bits(0, 0.9, 0.7), world.bits(0, [0.05] * 8, 0.2)
    for rate in rates:
        own = np.clip(rate + luck * rng.standard_normal(n_seeds), 0.01, 0.99)
        yield pooled(part_of(world.clusters, world.bits(0, own, 0.5), native, baseline))


def test_equal_mappers_all_share_the_first_rank_in_19_of_20_leaderboards_or_more():
    rng, split = np.random.default_rng(0), 0
    for _ in range(200):
        found = ranks(list(mappers(rng, [0.5] * N_MAPPERS)), range(N_MAPPERS))
        split += any(rank != Rank(1, N_MAPPERS) for rank in found)
    assert split <= 200 * 0.05 + 2 * np.sqrt(200 * 0.05 * 0.95)


def test_mappers_that_are_far_apart_have_ranks_of_their_own():
    found = ranks(list(mappers(np.random.default_rng(1), [0.8, 0.5, 0.2])), "abc")
    assert found == [Rank(1, 1), Rank(2, 2), Rank(3, 3)]


def test_noise_makes_a_range_wide_and_no_rank_better():
    (noisy,) = mappers(np.random.default_rng(2), [0.5], n_seeds=3, luck=0.3)
    precise = list(mappers(np.random.default_rng(2), [0.8, 0.5]))
    first, second, third = ranks([*precise, noisy], "abc")
    assert (first.best, second.best, second.worst > 1) == (1, 2, True)
    assert third.worst == 3


def test_the_same_successes_count_once():
    one, poor = mappers(np.random.default_rng(3), [0.8, 0.2])
    assert ranks([one, one, one, poor], ["a", "a", "a", "b"]) == [Rank(1, 1)] * 3 + [Rank(2, 2)]


def test_less_than_a_point_is_no_difference():
    world = World(np.random.default_rng(4), 400, 400)
    native, baseline = world.bits(0, 0.999, 0.0), np.zeros((1, 400))
    most = world.bits(0, 0.9, 0.0)
    less = most.copy()
    less[0, np.flatnonzero(most[0])[:3]] = 0
    clearly_less = most.copy()
    clearly_less[0, np.flatnonzero(most[0])[:40]] = 0
    scores = [pooled(part_of(world.clusters, bits, native, baseline)) for bits in (most, less, clearly_less)]
    assert ranks(scores, "abc") == [Rank(1, 2), Rank(1, 2), Rank(3, 3)]


def test_nobody_and_one_alone_can_be_ranked():
    assert ranks([], []) == []
    assert ranks(list(mappers(np.random.default_rng(5), [0.5])), "a") == [Rank(1, 1)]
