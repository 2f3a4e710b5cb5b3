"""What a step of decoding asks of a device, counted on a CPU: a GPU would wait, or be copied to, at the same places."""

from collections import Counter

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from graftbench.benchmark.data.examples import Prompt
from graftbench.benchmark.interventions import decoding
from graftbench.benchmark.interventions.conditions import Row
from graftbench.benchmark.interventions.decoding import Decoding
from graftbench.benchmark.interventions.generation import decode, generate
from graftbench.benchmark.interventions.operators import Ablate, Add, Replace, Rewrite
from graftbench.benchmark.interventions.token_inputs import TokenInputs
from graftbench.benchmark.models.chat import chat
from graftbench.benchmark.models.tokens import token_ids
from tests.benchmark.conftest import WORDS

N = 20
WAITS = ("aten::lift_fresh", "aten::item", "aten::_local_scalar_dense", "aten::nonzero", "aten::is_nonzero")


class Operators(TorchDispatchMode):
    """The operators of each pass that reads a generated token, from the making of its inputs on."""

    def __init__(self):
        super().__init__()
        self.passes = [Counter()]

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.passes[-1][func.name().split(".")[0]] += 1
        return func(*args, **kwargs or {})


def every_kind():
    torch.manual_seed(3)
    return [
        (),
        (Add(1, torch.randn(2, 16), (-4, -2)), Add(1, torch.randn(16), None), Add(1, torch.randn(16), None)),
        (Add(1, torch.randn(1, 16), (-1,), generated=torch.randn(5, 16)), Add(2, torch.randn(16), None)),
        (Replace(0, torch.randn(16), None), Replace(2, torch.randn(16), (-1,))),
        (Rewrite(2, torch.tanh, "tanh"), Ablate(torch.randn(16))),
    ]


def rows_of(model, n):
    texts = [chat(Prompt(words), model.tokenizer) for words in WORDS]
    kinds = every_kind()
    return [Row(texts[i % len(texts)], kinds[i % len(kinds)]) for i in range(n)]


@pytest.fixture
def operators(monkeypatch):
    """The operators of every pass of a batch, with the names of Tensor's methods that read values on the host."""

    def count(model, rows):
        counting = Operators()
        for name in ("tolist", "numpy", "__bool__", "__int__", "__float__", "cpu"):
            method = getattr(torch.Tensor, name)
            monkeypatch.setattr(torch.Tensor, name, lambda *a, m=method, n=name, **k: noted(counting, n, m, *a, **k))
        prepare = TokenInputs.next
        monkeypatch.setattr(TokenInputs, "next", lambda *about: counting.passes.append(Counter()) or prepare(*about))
        ids = [token_ids(row.text.text, model.tokenizer) for row in rows]
        with counting:
            Decoding(model, rows, ids, N, ()).run()
        monkeypatch.undo()
        return counting.passes

    def noted(counting, name, method, *about, **more):
        counting.passes[-1][f"Tensor.{name}"] += 1
        return method(*about, **more)

    return count


@pytest.fixture
def endless_llama(llama):
    eos = llama.tokenizer.eos_token
    llama.module.generation_config.eos_token_id = llama.tokenizer.eos_token = None
    yield llama
    llama.tokenizer.eos_token = eos  # the tokenizer is shared


@pytest.mark.parametrize("look_every", [1, 8])
def test_the_operators_of_a_step_do_not_grow_with_the_rows(endless_llama, operators, monkeypatch, look_every):
    monkeypatch.setattr(decoding, "look_every", lambda _: look_every)
    few = operators(endless_llama, rows_of(endless_llama, 5))
    monkeypatch.setattr(decoding, "look_every", lambda _: look_every)
    many = operators(endless_llama, rows_of(endless_llama, 60))
    assert len(few) == N
    assert few[1:] == many[1:]


def test_a_step_reads_nothing_back_and_copies_nothing_but_where_ended_rows_are_looked_for(
    endless_llama, operators, monkeypatch
):
    monkeypatch.setattr(decoding, "look_every", lambda _: 8)
    passes = operators(endless_llama, rows_of(endless_llama, 60))
    waits = [i for i, counts in enumerate(passes) if i and any(counts[name] for name in WAITS)]
    reads = [i for i, counts in enumerate(passes) if i and any(name.startswith("Tensor.") for name in counts)]
    assert waits == reads == [7, 15, N - 1]  # the last reads the replies


def replies(model, rows, until=(), **settings):
    ids = [token_ids(row.text.text, model.tokenizer) for row in rows]
    if until:
        return [(c.tokens, c.finite) for c in decode(model, rows, ids, N, until)]
    return [(c.tokens, c.finite) for c in generate(model, rows, max_new_tokens=N, **settings)]


@pytest.mark.parametrize("look_every", [3, 8, 100])
def test_no_reply_depends_on_how_often_ended_rows_are_looked_for(llama, monkeypatch, look_every):
    rows = rows_of(llama, 20)
    free = replies(llama, rows)
    llama.module.generation_config.eos_token_id = [tokens[len(tokens) // 2] for tokens, _ in free[:2]]
    wanted = replies(llama, rows)
    assert min(len(tokens) for tokens, _ in wanted) < max(len(tokens) for tokens, _ in wanted)
    monkeypatch.setattr(decoding, "look_every", lambda _: look_every)
    assert replies(llama, rows) == wanted
    assert replies(llama, rows, batch_size=1) == wanted


@pytest.mark.parametrize("look_every", [3, 8, 100])
def test_a_stop_string_ends_a_reply_at_the_same_token_however_often_it_is_looked_for(llama, monkeypatch, look_every):
    rows = rows_of(llama, 20)
    said = [llama.tokenizer.decode(tokens[4]) for tokens, _ in replies(llama, rows)[:3]]
    wanted = replies(llama, rows, until=said)
    assert min(len(tokens) for tokens, _ in wanted) <= 5
    monkeypatch.setattr(decoding, "look_every", lambda _: look_every)
    assert replies(llama, rows, until=said) == wanted


def test_logits_that_break_after_a_reply_has_ended_are_not_its_own(llama, monkeypatch):
    rows = [Row(chat(Prompt(WORDS[0]), llama.tokenizer), (Add(1, torch.zeros(1, 16), (-1,), generated=broken()),))]
    first, finite = replies(llama, rows)[0]
    assert not finite
    monkeypatch.setattr(decoding, "look_every", lambda _: 8)
    stop = llama.tokenizer.decode(first[1])
    (cut, finite), *_ = replies(llama, rows, until=[stop])
    assert len(cut) <= 2
    assert finite


def broken():
    return torch.cat([torch.zeros(3, 16), torch.full((1, 16), float("nan"))])
