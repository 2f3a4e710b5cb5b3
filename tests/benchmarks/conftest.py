"""The scripts in `benchmarks/`, imported as they import each other."""

import importlib
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def script(monkeypatch):
    """A script by its name."""
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module
