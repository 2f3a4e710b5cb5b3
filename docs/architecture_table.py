"""The table of architectures whose tiny models pass the checks of a model, and can be steered by vectors in files."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from result_tables import Lines, head, row
from torch import Tensor

from graftbench.benchmark.data.examples import Example, Prompt
from graftbench.benchmark.interventions.conditions import Condition
from graftbench.benchmark.interventions.logits import next_logits
from graftbench.benchmark.interventions.model_check import checks_of
from graftbench.benchmark.interventions.vector_files import (
    ContrastivePair,
    SteeringVector,
    load_vector,
    save_vector,
    vector_from_pairs,
)
from graftbench.benchmark.models.block_search import blocks_of
from graftbench.benchmark.models.cache_check import check_cache
from graftbench.benchmark.models.chat import chat
from graftbench.benchmark.models.load import Model

sys.path.append(str(Path(__file__).parents[1]))  # the tiny models are those of the tests

from tests.benchmark.conftest import byte_pairs
from tests.benchmark.tiny_models import RIGHT, tiny

_USES = (("add", "all", 2.0), ("ablate", "all", 1.0))  # kind, positions and strength
_TEXTS = ("The river is long", "Zürich", "How do I mend the roof of the old house?")
_ANY = Example(Prompt(""), None, "")  # conditions of vectors look at the text alone


def architectures() -> Lines:
    """Yield a row for each class that was tried: its blocks, what they write with, the checks passed, saved vectors."""
    yield from head("class", "blocks", "writers", "checks passed", "saved vector")
    yield from map(architecture, sorted(RIGHT))


def architecture(kind: str) -> str:
    """Return the row of a class."""
    module = tiny(kind)
    check_cache(module)
    model = Model(kind, module, byte_pairs(320), blocks_of(module), kind)
    checks = checks_of(model)
    writers = " or ".join(", ".join(f"`{name}`" for name in names) for names in sorted(set(model.blocks.writers)))
    passed = sum(check.passed for check in checks)
    saved = "acts the same" if all(_acts_the_same(model, use) for use in _USES) else "DIFFERS"
    return row(f"`{kind}`", f"`{model.blocks.path}`", writers, f"{passed} of {len(checks)}", saved)


def _acts_the_same(model: Model, use: tuple[str, str, float]) -> bool:
    """Return True where a vector that was saved and loaded gives the very logits that it gave before."""
    pairs = [ContrastivePair(desired="Mend the roof.", undesired="Paint the fence.")]
    vector = vector_from_pairs(model, pairs, 2, "last", use)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "vector.safetensors"
        save_vector(vector, file)
        loaded = load_vector(file)
    before, after, without = (_logits(model, each) for each in (vector, loaded, None))
    return torch.equal(before, after) and not torch.equal(before, without)


def _logits(model: Model, vector: SteeringVector | None) -> Tensor:
    condition = Condition("unsteered") if vector is None else vector.condition(model)
    return next_logits(model, [condition.row(_ANY, chat(Prompt(text), model.tokenizer)) for text in _TEXTS])
