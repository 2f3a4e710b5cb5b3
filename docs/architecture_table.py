"""The table of architectures whose tiny models pass the checks of a model."""

import sys
from pathlib import Path

from result_tables import Lines, head, row

from graftbench.benchmark.interventions.model_check import checks_of
from graftbench.benchmark.models.block_search import blocks_of
from graftbench.benchmark.models.cache_check import check_cache
from graftbench.benchmark.models.load import Model

sys.path.append(str(Path(__file__).parents[1]))  # the tiny models are those of the tests

from tests.benchmark.conftest import byte_pairs
from tests.benchmark.tiny_models import RIGHT, tiny


def architectures() -> Lines:
    """Yield a row for each class that was tried: where its blocks are, what they write with, and the checks passed."""
    yield from head("class", "blocks", "writers", "checks passed")
    yield from map(architecture, sorted(RIGHT))


def architecture(kind: str) -> str:
    """Return the row of a class."""
    module = tiny(kind)
    check_cache(module)
    model = Model(kind, module, byte_pairs(320), blocks_of(module), kind)
    checks = checks_of(model)
    writers = " or ".join(", ".join(f"`{name}`" for name in names) for names in sorted(set(model.blocks.writers)))
    passed = sum(check.passed for check in checks)
    return row(f"`{kind}`", f"`{model.blocks.path}`", writers, f"{passed} of {len(checks)}")
