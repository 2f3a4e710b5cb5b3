import numpy as np
import pytest
import torch
from sklearn.cross_decomposition import CCA

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.mappers.builtin import canonical
from graftbench.benchmark.mappers.builtin.canonical import Cca
from graftbench.benchmark.mappers.builtin.closed_forms import Ridge
from tests.benchmark.mappers.builtin.planted import D, fitted, fvu, linear_pairs, pairs_of, shuffled, states


def with_shared(n=6000, shared=3, noise=0.2, seed=0):
    """Pairs [n, 12] and [n, 9] with `shared` directions in common, each less so, and larger ones of their own."""
    rng, fixed = np.random.default_rng(seed), np.random.default_rng(7)
    common = rng.standard_normal((n, shared))
    sides = []
    for d in (D, 9):
        mine = np.concatenate(
            [
                common + noise * np.arange(1, shared + 1) * rng.standard_normal((n, shared)),
                3 * rng.standard_normal((n, d)),
            ],
            1,
        )
        sides.append(mine[:, :d] @ fixed.standard_normal((d, d)) + 5)
    return pairs_of(*sides)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_without_a_penalty_the_directions_are_those_of_scikit_learn(rank, monkeypatch):
    monkeypatch.setattr(canonical, "best_penalty", lambda *_: 1e-12)
    pairs = with_shared()
    ours, theirs = fitted(Cca(rank=rank), pairs), CCA(rank, max_iter=5000, tol=1e-10).fit(pairs.source, pairs.target)
    variates = torch.as_tensor(theirs.transform(pairs.source), dtype=torch.float64)
    mapped = ours(torch.as_tensor(pairs.source)).double()
    mapped -= mapped.mean(0)
    explained = variates @ torch.linalg.lstsq(variates, mapped).solution
    assert float((mapped - explained).norm() / mapped.norm()) < 1e-3


def test_the_number_of_planted_pairs_of_directions_is_found():
    assert Cca().fit(with_shared(shared=4), seed=0)["rank"] == 4


def test_what_is_mapped_keeps_the_spread_that_regression_loses():
    pairs, rank = with_shared(noise=1.0), 9
    rows = torch.as_tensor(pairs.source)
    spread = {
        name: float(mapper(rows).var(0).sum())
        for name, mapper in {"cca": fitted(Cca(rank=rank), pairs), "ridge": fitted(Ridge(), pairs)}.items()
    }
    target = float(torch.as_tensor(pairs.target).var(0).sum())
    assert spread["cca"] == pytest.approx(target, rel=1e-2)
    assert spread["ridge"] < target / 3


def test_a_planted_map_between_unlike_widths_is_found():
    assert fvu(fitted(Cca(), linear_pairs()), linear_pairs(300, seed=1)) < 0.02
    assert fvu(fitted(Cca(), linear_pairs(d_source=7, d_target=D)), linear_pairs(300, 7, D, seed=1)) < 0.02


def test_shuffled_pairs_teach_nothing():
    assert fvu(fitted(Cca(), shuffled(linear_pairs())), linear_pairs(300, seed=1)) > 0.95


def test_fewer_rows_than_dimensions_still_say_something():
    fit, new = (linear_pairs(n, 60, 50, seed=seed) for n, seed in ((40, 0), (300, 1)))
    assert fvu(fitted(Cca(), fit), new) < 0.9


def test_dimensions_without_a_spread_are_carried_to_their_means():
    source, target = states(), states(seed=0)[:, ::-1].copy()
    source[:, 2], target[:, 4] = 7, -3
    mapped = fitted(Cca(), pairs_of(source, target))(torch.as_tensor(source, dtype=torch.float32))
    assert torch.allclose(mapped[:, 4], torch.tensor(-3.0), atol=1e-3)
    assert mapped.isfinite().all()


def test_a_rank_below_zero_is_told():
    with pytest.raises(UserError, match="cca's rank is 0 .* or more, not -1"):
        Cca(rank=-1)
