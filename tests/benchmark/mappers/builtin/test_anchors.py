import numpy as np
import pytest
import torch

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.mappers.builtin.anchors import AnchorProjection
from graftbench.benchmark.models.twin import random_rotation
from tests.benchmark.mappers.builtin.planted import D, fitted, fvu, linear_pairs, pairs_of, shuffled


def test_a_rotated_copy_is_found_where_activations_spread_alike_in_all_directions():
    source = np.random.default_rng(0).standard_normal((4000, D))
    pairs = pairs_of(source, 2.5 * source @ random_rotation(D, 0).numpy() - 4)
    assert fvu(fitted(AnchorProjection(anchors=2000), pairs), pairs) < 0.02


def test_directions_are_weighted_by_their_spread_which_other_maps_undo():
    source = np.random.default_rng(0).standard_normal((4000, 2)) * [3, 1]
    weight = fitted(AnchorProjection(anchors=2000), pairs_of(source, source)).weight
    assert weight[0, 0] > 2 * weight[1, 1] > 0
    assert weight[0, 1].abs() < 0.1 * weight[0, 0]


def test_the_map_is_the_published_formula_at_the_length_of_least_squares():
    pairs = linear_pairs(200)
    mapper = fitted(AnchorProjection(anchors=50), pairs, seed=3)
    anchors = next(pairs.batches(50, 3))
    ours, theirs = (side.double() - side.double().mean(0) for side in anchors)
    published = (ours / ours.norm(dim=1, keepdim=True)).T @ (theirs / theirs.norm(dim=1, keepdim=True))
    assert torch.cosine_similarity(mapper.weight.double().flatten(), published.flatten(), dim=0) > 1 - 1e-9
    source, target = (torch.as_tensor(side) for side in (pairs.source, pairs.target))
    residual = target - mapper(source)
    assert float((residual * (mapper(source) - mapper(source).mean(0))).sum()) == pytest.approx(0, abs=0.5)


def test_the_seed_draws_the_anchors():
    pairs = linear_pairs(500, d_source=7, d_target=D)
    one, same, other = (fitted(AnchorProjection(anchors=20), pairs, seed).weight for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.allclose(one, other)


def test_shuffled_pairs_teach_nothing():
    assert fvu(fitted(AnchorProjection(), shuffled(linear_pairs())), linear_pairs(300, seed=1)) > 0.95


def test_few_rows_and_dimensions_without_a_spread_are_no_obstacle():
    source, target = np.random.default_rng(0).standard_normal((2, 30, 60))
    source[:, 5], target[:, 9] = 4, -2
    mapped = fitted(AnchorProjection(), pairs_of(source, target))(torch.randn(3, 60))
    assert mapped.isfinite().all()
    assert torch.allclose(mapped[:, 9], torch.tensor(-2.0), atol=1e-4)


def test_one_anchor_is_told():
    with pytest.raises(UserError, match="at least two anchors, not 1"):
        AnchorProjection(anchors=1)
