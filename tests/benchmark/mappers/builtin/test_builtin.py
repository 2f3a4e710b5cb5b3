"""Known answers: a planted map is recovered by every mapper that can represent it."""

import numpy as np
import pytest
import torch

from graftbench.benchmark.activations.arrays import as_stored
from graftbench.benchmark.activations.pairs import ActivationPairs
from graftbench.benchmark.mappers.builtin.anchors import AnchorProjection
from graftbench.benchmark.mappers.builtin.autoencoder import Affine, Autoencoder, PublishedAffine, PublishedAutoencoder
from graftbench.benchmark.mappers.builtin.canonical import Cca
from graftbench.benchmark.mappers.builtin.closed_forms import LowRank, Procrustes, Relative, Ridge
from graftbench.benchmark.mappers.builtin.controls import Identity, Lookup, Mean, RandomMap, Shuffled, Zero
from graftbench.benchmark.mappers.builtin.neighbours import Knn
from graftbench.benchmark.mappers.builtin.principal import Unlock
from graftbench.benchmark.models.twin import random_rotation
from tests.benchmark.mappers.builtin.planted import D, fitted, fvu, linear_pairs, pairs_of, states


@pytest.mark.parametrize(
    "mapper", [Ridge(), Procrustes(), LowRank(), Relative(anchors=100), Cca()], ids=lambda m: m.name
)
def test_a_rotated_scaled_and_shifted_copy_is_recovered(mapper):
    source = states()
    pairs = pairs_of(source, 2.5 * source @ random_rotation(D, 0).numpy() - 4)
    assert fvu(fitted(mapper, pairs), pairs) < 1e-6


@pytest.mark.parametrize("mapper", [Procrustes(), Ridge(), Cca(), Unlock()], ids=lambda m: m.name)
def test_a_copy_padded_with_zeros_is_recovered(mapper):
    source = states()
    target = np.concatenate([source @ random_rotation(D, 1).numpy(), np.zeros((len(source), 5))], axis=1)
    assert fvu(fitted(mapper, pairs_of(source, target)), pairs_of(source, target)) < 1e-6
    assert fvu(fitted(mapper, pairs_of(target, source)), pairs_of(target, source)) < 1e-6


@pytest.mark.parametrize("mapper", [Knn, Cca, Unlock, AnchorProjection], ids=lambda kind: kind.name)
def test_pairs_in_bfloat16_teach_nearly_the_same(mapper):
    pairs, new = linear_pairs(), linear_pairs(300, seed=1)
    stored = (as_stored(torch.as_tensor(side), "bfloat16") for side in (pairs.source, pairs.target))
    whole, half = fitted(mapper(), pairs), fitted(mapper(), ActivationPairs(*stored, pairs.starts))
    assert fvu(half, new) == pytest.approx(fvu(whole, new), abs=0.02)


def test_ridge_is_least_squares_where_there_is_nothing_to_smooth():
    source, rng = states(), np.random.default_rng(1)
    target = source @ rng.standard_normal((D, 7)) + rng.standard_normal((len(source), 7)) * 0.3
    ridge = fitted(Ridge(penalty=1e-12), pairs_of(source, target))
    full = np.concatenate([source, np.ones((len(source), 1))], axis=1)
    weight = np.linalg.lstsq(full, target, rcond=None)[0]
    assert np.allclose(ridge.weight.numpy(), weight[:-1], atol=1e-3)
    assert np.allclose(ridge.bias.numpy(), weight[-1], atol=1e-2)


def test_ridge_is_the_published_formula_with_the_penalty_that_is_given():
    source, target = states(300), states(300, seed=1)
    ridge = fitted(Ridge(penalty=0.5), pairs_of(source, target))
    x, y = source - source.mean(0), target - target.mean(0)
    penalty = 0.5 * np.trace(x.T @ x) / D
    assert np.allclose(ridge.weight.numpy(), np.linalg.solve(x.T @ x + penalty * np.eye(D), x.T @ y), atol=1e-4)


def test_ridge_smooths_where_there_is_little_to_learn_from():
    rng = np.random.default_rng(0)
    source, target = rng.standard_normal((40, 30)), rng.standard_normal((40, 5))
    record = Ridge().fit(pairs_of(source, target, per_text=1), seed=0)
    assert record["penalty"] >= 1


def test_large_offsets_cost_no_digits():
    source = states()
    target = source @ random_rotation(D, 0).numpy()
    pairs = pairs_of(source + 1000, target)
    assert fvu(fitted(Ridge(), pairs), pairs) < 1e-4


def test_low_rank_finds_a_planted_rank():
    rng = np.random.default_rng(0)
    source = states()
    core = rng.standard_normal((D, 2)) @ rng.standard_normal((2, 9))
    target = source @ core + 0.5 * rng.standard_normal((len(source), 9))
    mapper = LowRank()
    record = mapper.fit(pairs_of(source, target), seed=0)
    assert record["rank"] in (2, 4)
    assert torch.linalg.matrix_rank(fitted(LowRank(rank=2), pairs_of(source, target)).weight, tol=1e-3) == 2


@pytest.mark.parametrize(("kind", "most"), [(Autoencoder, 0.1), (Affine, 0.01)], ids=["autoencoder", "affine"])
def test_gradient_descent_goes_on_until_a_planted_map_is_found(kind, most):
    source = states(1500)
    pairs = pairs_of(source, source @ random_rotation(D, 0).numpy())
    mapper = kind(D, D, hidden=2 * D)
    record = mapper.fit(pairs, seed=0)
    assert fvu(mapper, pairs) < most
    assert record["epochs"] == len(record["losses"])
    assert record["losses"][-1] < record["losses"][0] / 10


def test_an_autoencoder_bends_where_an_affine_map_cannot():
    source = states(1500) - 3
    pairs = pairs_of(source, np.abs(source))
    assert fvu(fitted(Autoencoder(D, D, hidden=4 * D), pairs), pairs) < 0.2
    assert fvu(fitted(Affine(D, D), pairs), pairs) > 0.8


@pytest.mark.parametrize("kind", [PublishedAutoencoder, PublishedAffine])
def test_the_published_way_is_three_epochs_of_64_texts_a_step(kind):
    pairs = pairs_of(states(), states())
    record = kind(D, D).fit(pairs, seed=0)
    assert record["epochs"] == 3
    assert record["steps"] == 3 * -(-180 // 64)  # nine tenths of 200 texts
    assert sum(p.numel() for p in kind(896, 896).parameters()) == 1_607_424  # Oozeer et al., 0.32 % of 494 M


def test_the_hidden_width_is_the_geometric_mean():
    assert Autoencoder(896, 1536).encoder.out_features == 1173


def test_seeds_change_what_is_trained_and_the_same_seed_does_not():
    pairs = pairs_of(states(300), states(300, seed=1))
    one, same, other = (fitted(PublishedAutoencoder(D, D), pairs, seed) for seed in (0, 0, 1))
    row = torch.ones(D)
    assert torch.equal(one(row), same(row))
    assert not torch.equal(one(row), other(row))


def test_controls_are_what_they_say():
    source = states(500, 6)
    target = states(500, 9, seed=1)
    pairs = pairs_of(source, target)
    x = torch.randn(4, 6)
    assert not fitted(Zero(), pairs)(x).any()
    assert torch.allclose(fitted(Mean(), pairs)(x), torch.tensor(target.mean(0), dtype=torch.float32), atol=1e-4)
    assert torch.equal(fitted(Identity(), pairs)(x), torch.nn.functional.pad(x, (0, 3)))
    rows = torch.tensor(source, dtype=torch.float32)
    assert torch.allclose(fitted(Lookup(), pairs)(rows + 1e-4), torch.tensor(target, dtype=torch.float32))
    spread = fitted(RandomMap(), pairs)(rows)
    assert float((spread - spread.mean(0)).norm()) == pytest.approx(np.linalg.norm(target - target.mean(0)), rel=1e-3)


def test_shuffled_pairs_teach_nothing():
    source = states()
    pairs = pairs_of(source, source @ random_rotation(D, 0).numpy())
    assert fvu(fitted(Shuffled(), pairs), pairs) > 0.95


def test_identity_cuts_off_what_does_not_fit():
    pairs = pairs_of(states(50, 6), states(50, 4))
    assert torch.equal(fitted(Identity(), pairs)(torch.arange(6.0)), torch.arange(4.0))


def test_a_random_map_has_nothing_to_do_with_the_rotation_of_a_twin_of_the_same_seed():
    source = torch.randn(400, D)
    for seed in range(3):
        mapper = RandomMap()
        mapper.fit(pairs_of(source, source), seed=seed)
        rotation = random_rotation(D, seed).float()
        assert torch.cosine_similarity(mapper.weight.flatten(), rotation.flatten(), dim=0).abs() < 0.25
