import numpy as np
import pytest
import torch

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.mappers.builtin import neighbours
from graftbench.benchmark.mappers.builtin.controls import Lookup
from graftbench.benchmark.mappers.builtin.neighbours import Knn
from tests.benchmark.mappers.builtin.planted import fitted, fvu, linear_pairs, pairs_of, shuffled


def test_the_partners_of_the_nearest_are_averaged_whatever_the_length_of_a_row():
    source = np.array([[1, 0], [0.9, 0.1], [0, 1], [0.1, 0.9], [-1, 0]])
    knn = fitted(Knn(k=2), pairs_of(source, [[0], [2], [10], [20], [99]], per_text=1))
    rows = torch.tensor([[5.0, 0.1], [0.001, 0.1], [0.0, 1e6]])
    assert knn(rows).flatten().tolist() == [1, 15, 15]


@pytest.mark.parametrize("block", [1, 2, 3, 1000])
def test_of_rows_that_are_equal_the_first_are_taken_however_they_are_gone_through(block, monkeypatch):
    monkeypatch.setattr(neighbours, "BLOCK_ROWS", block)
    row = np.random.default_rng(0).standard_normal(64)
    source = np.stack([-row, row, 3 * row, -row, row, row])
    knn = fitted(Knn(k=2), pairs_of(source, np.arange(6.0)[:, None], per_text=1))
    assert knn.nearest(torch.tensor(row[None], dtype=torch.float32)).tolist() == [[1, 2]]


def test_one_neighbour_is_the_nearest_by_the_cosine():
    pairs, (rows, _) = linear_pairs(500), next(linear_pairs(100, seed=5).batches(100, None))
    nearest = fitted(Knn(k=1), pairs).nearest(rows)[:, 0]
    source = torch.as_tensor(pairs.source)
    assert torch.equal(nearest, torch.cosine_similarity(rows[:, None], source[None], dim=-1).argmax(-1))


def test_smoothing_takes_noise_away_that_one_neighbour_keeps():
    fit, new = (linear_pairs(n, 3, 4, noise=0.5, seed=seed) for n, seed in ((4000, 0), (300, 1)))
    assert fvu(fitted(Knn(), fit), new) < fvu(fitted(Knn(k=1), fit), new)
    assert fvu(fitted(Knn(), fit), new) < fvu(fitted(Lookup(), fit), new)


def test_shuffled_pairs_teach_nothing_about_new_rows():
    assert fvu(fitted(Knn(), shuffled(linear_pairs())), linear_pairs(300, seed=1)) > 0.95


def test_all_rows_are_neighbours_where_there_are_fewer():
    knn = fitted(Knn(), pairs_of([[1, 0], [0, 1]], [[2.0], [4.0]], per_text=1))
    assert knn(torch.tensor([1.0, 0.0])).tolist() == [3]


def test_no_neighbour_is_told():
    with pytest.raises(UserError, match="at least one neighbour, not 0"):
        Knn(k=0)
