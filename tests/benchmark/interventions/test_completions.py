import pytest
import torch

import graftbench.benchmark.interventions.completions as module
from graftbench.benchmark.core.store import Store
from graftbench.benchmark.data.examples import Prompt
from graftbench.benchmark.interventions.completions import completions
from graftbench.benchmark.interventions.conditions import Row
from graftbench.benchmark.interventions.generation import generate
from graftbench.benchmark.interventions.operators import Add
from graftbench.benchmark.models.chat import chat
from tests.benchmark.conftest import WORDS


@pytest.fixture
def rows(llama):
    torch.manual_seed(3)
    steps = [(), (Add(1, 3 * torch.randn(16), (-1,)),), (Add(1, 3 * torch.randn(16), None),)]
    return [Row(chat(Prompt(words), llama.tokenizer), step) for step in steps for words in WORDS]


@pytest.fixture
def decoded(monkeypatch):
    """How many rows were decoded, batch by batch."""
    seen = []
    decode = module.decode

    def counted(model, these, ids, n):
        seen.append(len(these))
        return decode(model, these, ids, n)

    monkeypatch.setattr(module, "decode", counted)
    return seen


def cached(tmp_path, llama, rows, **more):
    return completions(Store(tmp_path), llama, rows, max_new_tokens=5, **{"batch_size": 4, **more})


def test_they_are_what_generate_gives(tmp_path, llama, rows):
    assert cached(tmp_path, llama, rows) == generate(llama, rows, max_new_tokens=5)


def test_rows_that_are_alike_are_decoded_once_and_reported_as_often_as_they_come(tmp_path, llama, rows, decoded):
    reports = []
    again = [
        Row(row.text, tuple(Add(s.site, s.vectors.clone(), s.positions) for s in row.interventions)) for row in rows
    ]
    replies = cached(tmp_path, llama, rows + again, progress=reports.append)
    assert replies[: len(rows)] == replies[len(rows) :]
    assert sum(decoded) == len(rows)
    assert sum(reports) == 2 * len(rows)


def test_what_was_decoded_is_not_decoded_again(tmp_path, llama, rows, decoded):
    first = cached(tmp_path, llama, rows)
    before = sum(decoded)
    assert cached(tmp_path, llama, rows) == first
    assert sum(decoded) == before


def test_another_strength_is_another_row(tmp_path, llama, rows, decoded):
    stronger = [Row(r.text, tuple(Add(s.site, 2 * s.vectors, s.positions) for s in r.interventions)) for r in rows]
    cached(tmp_path, llama, rows + stronger)
    assert sum(decoded) == len(rows) + 10  # five of each are free of interventions
