import numpy as np
import pytest

from graftbench.benchmark.metrics import statistics
from graftbench.benchmark.metrics.statistics import Resamples, difference, is_steerable, resample, transfer


def bits(*rows):
    return np.array(rows, dtype=float)


def lone(n):
    return [str(i) for i in range(n)]


def constant(rate, n=200):
    return bits([1] * round(rate * n) + [0] * (n - round(rate * n)))


def test_transfer_is_the_share_of_natives_gain_over_random():
    drawn = resample(lone(200), 16, seed=0)
    noise = np.repeat(constant(0.1), 16, axis=0)
    assert transfer(constant(0.5), constant(0.9), noise, drawn).value == pytest.approx(0.5)
    assert transfer(constant(0.9), constant(0.9), noise, drawn).value == 1
    assert transfer(constant(0.1), constant(0.9), noise, drawn).value == 0
    assert transfer(constant(0.0), constant(0.9), noise, drawn).value < 0


def test_a_mapper_that_equals_native_on_every_prompt_has_an_interval_of_zero_width():
    native = constant(0.7)
    full = transfer(native, native, np.zeros((16, 200)), resample(lone(200), 16, seed=0))
    assert (full.low, full.high) == (1, 1)


def test_native_without_effect_has_nothing_to_transfer():
    with pytest.raises(ValueError, match="no effect"):
        transfer(constant(0.5), constant(0.1), constant(0.1), resample(lone(200), 1, seed=0))


def test_a_cell_is_steerable_where_native_beats_random_significantly_and_by_a_tenth():
    drawn = resample(lone(200), 1, seed=0)
    assert is_steerable(constant(0.8), constant(0.2), drawn)
    assert not is_steerable(constant(0.25), constant(0.2), drawn)  # by less than a tenth
    few = resample(lone(6), 1, seed=0)
    assert not is_steerable(bits([1, 0, 0, 1, 0, 0]), bits([0, 0, 0, 0, 0, 1]), few)  # not significantly


def test_prompts_of_one_cluster_are_drawn_together():
    ones = bits([1] * 50 + [0] * 50)
    alone = difference(ones, np.zeros((1, 100)), resample(lone(100), 1, seed=0))
    together = difference(ones, np.zeros((1, 100)), resample([str(i // 10) for i in range(100)], 1, seed=0))
    assert together.high - together.low > 2 * (alone.high - alone.low)


def test_draws_that_scatter_widen_the_interval():
    native = constant(0.9)
    alike = np.repeat(constant(0.2), 4, axis=0)
    unlike = np.concatenate([constant(0.0), constant(0.0), constant(0.4), constant(0.4)])
    drawn = resample(lone(200), 4, seed=0)
    width = [i.high - i.low for i in (difference(native, noise, drawn) for noise in (alike, unlike))]
    assert width[1] > 1.5 * width[0]


def test_the_same_seed_gives_the_same_interval():
    one, other = (difference(constant(0.6), constant(0.2), resample(lone(200), 1, seed=3)) for _ in range(2))
    assert one == other


CLUSTERS = np.random.default_rng(1).integers(0, 80, 144)
DRAWN = resample([f"{m:03}" for m in CLUSTERS], 16, seed=0)


def planted(rng, rate):
    """A vector of this success rate, on prompts that have something in common with those of their cluster."""
    return (rng.random(144) < rng.beta(8 * rate, 8 * (1 - rate), 80)[CLUSTERS])[None].astype(float)


def random_rates(rng, n, rate=0.15):
    """The success rates of random vectors, which scatter."""
    return rng.beta(6 * rate, 6 * (1 - rate), n)


def test_intervals_cover_a_planted_truth_in_19_of_20_cells_or_more():
    rng = np.random.default_rng(0)
    truth = (0.6 - 0.15) / (0.85 - 0.15)
    covered = 0
    for _ in range(500):
        noise = np.concatenate([planted(rng, rate) for rate in random_rates(rng, 16)])
        estimate = transfer(planted(rng, 0.6), planted(rng, 0.85), noise, DRAWN)
        covered += estimate.low <= truth <= estimate.high
    assert covered >= 0.95 * 500


def test_a_mapper_that_brings_random_vectors_seems_better_than_they_are_in_one_cell_of_twenty_at_the_most():
    rng = np.random.default_rng(0)
    lucky = 0
    for _ in range(500):
        mapped, *noise = (planted(rng, rate) for rate in random_rates(rng, 17))
        lucky += transfer(mapped, planted(rng, 0.85), np.concatenate(noise), DRAWN).low > 0
    assert lucky <= 0.05 * 500


def test_with_39_draws_a_mapper_that_brings_random_vectors_seems_better_in_one_cell_of_forty():
    drawn = resample([f"{m:03}" for m in CLUSTERS], 39, seed=0)
    rng, n, lucky, above_all = np.random.default_rng(0), 1000, 0, 0
    for _ in range(n):
        mapped, *noise = (planted(rng, rate) for rate in random_rates(rng, 40))
        lucky += transfer(mapped, planted(rng, 0.85), np.concatenate(noise), drawn).low > 0
        above_all += mapped.mean() > np.concatenate(noise).mean(1).max()
    assert max(lucky, above_all) <= n / 40 + 2 * np.sqrt(n / 40)


def test_a_condition_with_other_draws_than_the_baseline_has_no_rate():
    drawn = resample(["a", "b", "c"], 1, 0)
    with pytest.raises(ValueError, match="a condition has 40 draws, and the baseline 1"):
        drawn.rate(np.ones((40, 3)))


def former_rates(clusters, rows, seed=0):
    """Success rates of 2,000 resamples, counted prompt by prompt."""
    rng, names = np.random.default_rng(seed), sorted(set(clusters))
    counts = rng.multinomial(len(names) - 1, np.full(len(names), 1 / len(names)), size=2000)
    draws = rng.multinomial(1, np.full(len(rows), 1 / len(rows)), size=2000).argmax(1)
    weights = counts[:, [names.index(cluster) for cluster in clusters]]
    return [(w * rows[draw]).sum() / w.sum() for w, draw in zip(weights, draws, strict=True)]


def test_resamples_that_are_shared_give_every_condition_the_rates_that_it_had_alone():
    rng = np.random.default_rng(2)
    clusters = [f"{m:03}" for m in CLUSTERS]
    conditions = [planted(rng, rate) for rate in (0.2, 0.5, 0.9)]
    noise = np.concatenate([planted(rng, 0.15) for _ in range(16)])
    shared = resample(clusters, 16, seed=0)
    assert shared is resample(list(clusters), 16, seed=0)
    for rows in (*conditions, noise, *conditions):  # the last from those that are kept
        expected = former_rates(clusters, rows) if len(rows) > 1 else former_rates(clusters, np.repeat(rows, 16, 0))
        assert shared.rate(rows).tolist() == expected


def test_no_more_rates_are_kept_than_memory_is_for(monkeypatch):
    monkeypatch.setattr(statistics, "_CACHED_RATES", 2)
    drawn = Resamples(DRAWN.clusters, DRAWN.draws, DRAWN.member)
    rows = [planted(np.random.default_rng(i), 0.5) for i in range(4)]
    first = [drawn.rate(row).tolist() for row in rows]
    assert len(drawn.cached) == 2
    assert [drawn.rate(row).tolist() for row in rows] == first
