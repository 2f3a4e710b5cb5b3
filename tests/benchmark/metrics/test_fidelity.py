import pytest
import torch

from graftbench.benchmark.metrics.fidelity import fidelity

TRUE = torch.tensor([[1.0, 0.0], [3.0, 0.0], [5.0, 6.0]])


def test_a_perfect_prediction_leaves_nothing_unexplained():
    perfect = fidelity([(TRUE, TRUE)])
    assert perfect.cosine == pytest.approx(1)
    assert perfect.fvu == pytest.approx(0)


def test_the_mean_leaves_everything_unexplained():
    assert fidelity([(TRUE.mean(0).expand(3, 2), TRUE)]).fvu == pytest.approx(1)


def test_batches_change_nothing():
    guess = torch.randn(3, 2)
    whole, parts = fidelity([(guess, TRUE)]), fidelity([(guess[:1], TRUE[:1]), (guess[1:], TRUE[1:])])
    assert whole.fvu == pytest.approx(parts.fvu)
    assert whole.cosine == pytest.approx(parts.cosine)


def test_a_zero_prediction_has_no_direction():
    assert fidelity([(torch.zeros(3, 2), TRUE)]).cosine == 0


def test_rows_that_do_not_vary_have_no_variance_to_explain():
    assert fidelity([(TRUE[:1].expand(3, 2), TRUE[:1].expand(3, 2))]).fvu is None
    assert fidelity([]).cosine is None
