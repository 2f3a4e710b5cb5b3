from types import SimpleNamespace

import numpy as np
import pytest
import torch

from graftbench.benchmark.activations.pair_writing import save_shape
from graftbench.benchmark.core.errors import CellError, TooFewPairsError
from graftbench.benchmark.core.store import Store
from graftbench.benchmark.mappers.builtin.canonical import Cca
from graftbench.benchmark.mappers.builtin.closed_forms import LowRank, Ridge
from graftbench.benchmark.mappers.info import describe
from graftbench.benchmark.runs.executors.protocol import Failure, failure_of
from graftbench.benchmark.runs.fit import _fit
from tests.benchmark.mappers.builtin.planted import pairs_of


@pytest.fixture
def fit(tmp_path):
    """Fits ridge on three pairs of one text, which it cannot split."""
    for name in ("source", "target"):
        np.save(tmp_path / f"{name}.npy", np.ones((3, 2), np.float32))
    save_shape(tmp_path, np.array([0]), 1.0)
    settings = SimpleNamespace(device="cpu", isolation=None)
    context = SimpleNamespace(store=Store(tmp_path / "store"), settings=settings)
    return lambda track: _fit(SimpleNamespace(seed=0, track=track), context, describe("ridge"), tmp_path, "hash")


def test_a_share_of_the_pairs_that_is_too_little_for_a_mapper_is_told_in_a_sentence(fit):
    with pytest.raises(CellError) as error:
        fit("hundredth")
    told = "ridge cannot be fitted on the 3 pairs of the track hundredth: one text cannot be split"
    assert failure_of(error.value, "the worker's traceback") == Failure("failed", told, "")


def refuse(_):
    raise TooFewPairsError("four at least")


@pytest.mark.parametrize(
    ("fails", "told"),
    [
        (refuse, "four at least"),
        (lambda _: torch.linalg.inv(torch.zeros(2, 2)), ".*singular"),
        (lambda _: np.linalg.inv(np.zeros((2, 2))), "Singular matrix"),
    ],
)
def test_what_says_that_the_data_are_too_little_is_told_so(fit, monkeypatch, fails, told):
    monkeypatch.setattr(Ridge, "fit", lambda *_, seed: fails(seed))
    with pytest.raises(CellError, match=f"ridge cannot be fitted on the 3 pairs of the track tenth: {told}"):
        fit("tenth")


@pytest.mark.parametrize(
    "fails", [lambda _: [][0], lambda _: 1 / 0, lambda _: float("x"), lambda _: torch.ones(2) @ torch.ones(3)]
)
def test_a_fault_in_the_code_of_a_mapper_is_passed_on_with_its_traceback_whatever_the_track(fit, monkeypatch, fails):
    monkeypatch.setattr(Ridge, "fit", lambda *_, seed: fails(seed))
    with pytest.raises((LookupError, ArithmeticError, ValueError, RuntimeError)) as error:
        fit("hundredth")
    assert "fails(seed)" in failure_of(error.value).trace


def test_one_pair_held_out_is_too_little_to_choose_on():
    pairs = pairs_of(np.eye(2, 3), np.eye(2, 4), per_text=1)
    for mapper in (Ridge(), LowRank(), Cca()):
        with pytest.raises(TooFewPairsError, match="nothing can be chosen on held-out pairs"):
            mapper.fit(pairs, seed=0)


def test_on_other_tracks_an_error_of_a_mapper_is_passed_on(fit):
    with pytest.raises(ValueError, match="one text cannot be split") as error:
        fit("task")
    assert "one text cannot be split" in failure_of(error.value).trace
