"""A transfer pooled over cells, and what makes up its variance."""

import numpy as np
import pytest

from graftbench.benchmark.metrics.pooled import interaction
from graftbench.benchmark.metrics.ratio import interval_of
from tests.benchmark.metrics.planted import part_of, pooled

N = 100
ALONE = np.arange(N)


def bits(*rates):
    return np.array([[1.0] * round(rate * N) + [0.0] * (N - round(rate * N)) for rate in rates])


def variance(score):
    return sum(each for each, _ in score.components)


def test_a_pooled_transfer_is_the_ratio_of_sums():
    cells = [part_of(ALONE, bits(m), bits(n), bits(0.1, 0.1)) for m, n in ((0.5, 0.9), (0.1, 0.5))]
    assert pooled(cells[0]).value == pytest.approx(0.5)
    assert pooled(*cells).value == pytest.approx(0.4 / 1.2)


def test_the_variance_of_one_rate_is_that_of_the_textbook():
    score = pooled(part_of(ALONE, bits(0.3), bits(1.0), bits(0.0)))
    assert variance(score) == pytest.approx(0.3 * 0.7 / (N - 1))


def test_cells_on_the_same_prompts_move_together_and_cells_on_others_apart():
    def two(other):
        return pooled(*(part_of(clusters, bits(0.3), bits(1.0), bits(0.0)) for clusters in (ALONE, other)))

    assert variance(two(ALONE)) == pytest.approx(0.3 * 0.7 / (N - 1))
    assert variance(two(ALONE + N)) == pytest.approx(0.3 * 0.7 / (2 * N - 1))


def test_prompts_of_one_cluster_count_less():
    tens = ALONE // 10
    assert variance(pooled(part_of(tens, bits(0.3), bits(1.0), bits(0.0)))) > 5 * 0.3 * 0.7 / N


def test_random_vectors_that_cells_share_do_not_average_out():
    noise = np.repeat([[0.0], [1.0]] * 8, N, axis=1)  # whole draws, so that prompts have no part in it
    shared, apart = (
        pooled(*(part_of(ALONE + i * N, bits(0.3), bits(1.0), noise, draws=name) for i, name in enumerate(names)))
        for names in (("same", "same"), ("one", "other"))
    )
    assert sum(v for v, _ in shared.references.drawn) == pytest.approx(2 * sum(v for v, _ in apart.references.drawn))


def test_seeds_count_by_fit_or_over_all_whichever_is_more():
    def seeded(*by_cell):
        cells = [part_of(ALONE, bits(*rates), bits(1.0), bits(0.0), fit=i) for i, rates in enumerate(by_cell)]
        return pooled(*cells).seeded

    alike, freedom = seeded((0.2, 0.4, 0.6), (0.2, 0.4, 0.6))
    assert freedom == 2
    opposed, _ = seeded((0.2, 0.4, 0.6), (0.6, 0.4, 0.2))
    assert 0 < opposed < alike
    assert seeded((0.4,), (0.4,)) == (0.0, 1.0)


def test_what_prompts_and_seeds_do_together_is_taken_off_once():
    rng = np.random.default_rng(0)
    sums = rng.standard_normal((3, 50))
    assert interaction(sums, 50) == pytest.approx(50 / 49 * sums.var(0, ddof=1).sum() / 3)
    assert interaction(sums[:1], 50) == 0


def test_an_interval_has_a_width_where_nothing_and_where_everything_succeeds():
    for rate, native in ((0.0, 0.9), (0.9, 0.9), (1.0, 1.0)):
        score = pooled(part_of(ALONE, bits(rate), bits(native), bits(0.0)))
        low, high = interval_of(score)
        assert low <= score.value <= high
        assert high - low > 0.01


def test_where_native_may_add_nothing_an_interval_has_no_end():
    halves = np.eye(2)[:1].repeat(10, 1)
    score = pooled(part_of(np.arange(20), halves, np.ones((1, 20)), np.array([[1.0] * 20, [0.0] * 20])))
    assert interval_of(score)[1] == np.inf
