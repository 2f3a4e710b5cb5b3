from types import SimpleNamespace

import numpy as np
import pytest

from graftbench.benchmark.activations.pair_writing import save_shape
from graftbench.benchmark.core.errors import CellError
from graftbench.benchmark.core.store import Store
from graftbench.benchmark.mappers.info import describe
from graftbench.benchmark.runs.executors.protocol import Failure, failure_of
from graftbench.benchmark.runs.fit import _fit


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


def test_on_other_tracks_an_error_of_a_mapper_is_passed_on(fit):
    with pytest.raises(ValueError, match="one text cannot be split") as error:
        fit("task")
    assert "one text cannot be split" in failure_of(error.value).trace
