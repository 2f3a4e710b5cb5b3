import numpy as np
import pytest
import torch

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.mappers.builtin.principal import Unlock
from graftbench.benchmark.models.twin import random_rotation
from tests.benchmark.mappers.builtin.planted import D, fitted, fvu, linear_pairs, pairs_of, shuffled, states


def test_a_rotated_and_scaled_copy_is_recovered_and_a_shifted_one_only_as_far_as_a_matrix_goes():
    source, turn = states(), random_rotation(D, 0).numpy()
    pairs = pairs_of(source, 2.5 * source @ turn)
    unlock = fitted(Unlock(), pairs)
    assert fvu(unlock, pairs) < 1e-6
    assert torch.allclose(unlock.weight, torch.tensor(2.5 * turn, dtype=torch.float32), atol=1e-3)
    assert not unlock(torch.zeros(D)).any()
    shifted = pairs_of(source, source @ turn - 40)
    assert fvu(fitted(Unlock(), shifted), shifted) > 0.1


@pytest.mark.parametrize("rank", [1, 4, 7])
def test_the_map_is_the_published_formula(rank):
    pairs = linear_pairs(400)
    x, y = pairs.source.astype(np.float64), pairs.target.astype(np.float64)
    ours, theirs = (np.linalg.svd(rows, full_matrices=False)[2][:rank].T for rows in (x, y))
    weight = ours @ np.linalg.pinv(x @ ours) @ (y @ theirs) @ theirs.T
    assert np.allclose(fitted(Unlock(rank=rank), pairs).weight.numpy(), weight, atol=1e-4)


def test_a_planted_map_into_a_wider_model_is_found():
    assert fvu(fitted(Unlock(), linear_pairs(d_source=7, d_target=D)), linear_pairs(300, 7, D, seed=1)) < 0.02


def test_into_a_narrower_model_the_last_directions_of_the_source_are_lost():
    assert 0.02 < fvu(fitted(Unlock(), linear_pairs()), linear_pairs(300, seed=1)) < 0.1


def test_shuffled_pairs_teach_nothing():
    assert fvu(fitted(Unlock(), shuffled(linear_pairs())), linear_pairs(300, seed=1)) > 0.95


def test_a_source_that_is_silent_in_some_dimensions_is_no_obstacle():
    pairs = linear_pairs(d_source=7, d_target=D)
    padded = pairs_of(np.pad(pairs.source, ((0, 0), (0, 20))), pairs.target)
    assert fvu(fitted(Unlock(), padded), padded) < 0.02


def test_fewer_rows_than_dimensions_still_say_something():
    fit, new = (linear_pairs(n, 60, 50, seed=seed) for n, seed in ((40, 0), (300, 1)))
    assert fvu(fitted(Unlock(), fit), new) < 0.9


def test_a_rank_below_zero_is_told():
    with pytest.raises(UserError, match="unlock's rank is 0 .* or more, not -1"):
        Unlock(rank=-1)
