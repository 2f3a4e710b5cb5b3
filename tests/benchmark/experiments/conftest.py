import pytest

from graftbench.benchmark.core.store import Store
from graftbench.benchmark.experiments.bench import Bench


@pytest.fixture
def bench(tmp_path):
    return Bench(Store(tmp_path), 64, 8, lambda *_: None)
