import pytest

from graftbench.benchmark.experiments.setting import Bench
from graftbench.benchmark.store import Store


@pytest.fixture
def bench(tmp_path):
    return Bench(Store(tmp_path), 64, 8, lambda *_: None)
