from types import SimpleNamespace

import psutil
import pytest
import torch

from graftbench.benchmark.activations.capture import capture_rows
from graftbench.benchmark.interventions.conditions import Row
from graftbench.benchmark.interventions.generation import generate
from graftbench.benchmark.interventions.joint_reading import joint_likelihoods
from graftbench.benchmark.interventions.likelihoods import (
    ContinuationRow,
    continuation_likelihoods,
    perplexity_of_each,
    reply_likelihoods,
)
from graftbench.benchmark.interventions.logits import next_logits
from graftbench.benchmark.interventions.operators import Add
from graftbench.benchmark.models.chat import Chat
from graftbench.benchmark.models.memory import in_parts, is_out_of_memory, limit_by_free_memory

OUT_OF_MEMORY = {
    "gpu": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB."),
    "cpu": RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory"),
    "python": MemoryError(),
}
TEXTS = ["How do I paint the fence?", "Who was the first king?", "Mend it.", "A city", "Tell me of the river", "So?"]


def memory_of(model, n_rows, error=OUT_OF_MEMORY["gpu"]):
    """Let a model run out of memory above so many rows; returns the numbers of rows that it was asked to read."""
    forward, asked = model.module.forward, []

    def little(*args, **inputs):
        asked.append(len(inputs["input_ids"]))
        if asked[-1] > n_rows:
            raise error
        return forward(*args, **inputs)

    model.module.forward = little
    return asked


def rows_of(model):
    torch.manual_seed(0)
    vectors = torch.randn(len(TEXTS), model.d)
    return [
        Row(Chat(text, ((0, len(text)),)).with_reply(" Yes indeed."), (Add(1, vector, None),))
        for text, vector in zip(TEXTS, vectors, strict=True)
    ]


def ids_of(model):
    return [model.tokenizer(text, add_special_tokens=False).input_ids for text in TEXTS]


READINGS = {
    "generation": lambda model: [c.tokens for c in generate(model, rows_of(model), max_new_tokens=6)],
    "capture": lambda model: [states for _, states in sorted(capture_rows(model, ids_of(model), 2))],
    "replies": lambda model: reply_likelihoods(model, rows_of(model)),
    "perplexity": lambda model: perplexity_of_each(model, [(row.text, [7, 8, 9]) for row in rows_of(model)]),
    "next token": lambda model: next_logits(model, rows_of(model)),
    "continuations": lambda model: continuation_likelihoods(
        model, [ContinuationRow(str(i), ids[:-1], ids[-2:], ()) for i, ids in enumerate(ids_of(model))], 8
    ),
}


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("kind", OUT_OF_MEMORY)
def test_what_memory_does_not_hold_is_read_in_halves_with_the_same_results(llama, reading, kind, capsys):
    expected = READINGS[reading](llama)
    asked = memory_of(llama, 2, OUT_OF_MEMORY[kind])
    torch.testing.assert_close(READINGS[reading](llama), expected, rtol=1e-4, atol=1e-5)
    assert max(asked) > 2
    assert capsys.readouterr().err.count("memory does not hold") == 1


def test_conditions_that_are_read_together_are_read_in_halves(llama, capsys):
    texts, vectors = [ids[:9] for ids in ids_of(llama)[:2]], torch.randn(6, llama.d)
    table = [[(Add(1, vector, (-1,)),) for vector in vectors]] * 2
    expected = joint_likelihoods(llama, texts, [3, 3], table)
    block, hidden = llama.module.model.layers[2], []

    def narrow(_, args):
        hidden.append(len(args[0]))
        if len(args[0]) > 2:
            raise OUT_OF_MEMORY["gpu"]

    block.register_forward_pre_hook(narrow)
    torch.testing.assert_close(joint_likelihoods(llama, texts, [3, 3], table), expected, rtol=1e-4, atol=1e-5)
    assert max(hidden) == 6
    assert "memory does not hold 6 rows" in capsys.readouterr().err


def test_what_was_too_much_once_is_not_tried_again(llama, capsys):
    asked = memory_of(llama, 2)
    READINGS["generation"](llama)
    first = len(asked)
    READINGS["generation"](llama)
    assert max(asked[first:]) <= 2
    assert capsys.readouterr().err.count("\n") == 1


def test_where_one_row_is_too_much_its_error_is_raised(llama):
    memory_of(llama, 0)
    with pytest.raises(torch.OutOfMemoryError):
        READINGS["generation"](llama)


def test_another_error_is_not_taken_for_too_little_memory(llama):
    asked = memory_of(llama, 2, RuntimeError("The size of tensor a must match the size of tensor b"))
    with pytest.raises(RuntimeError, match="must match"):
        READINGS["capture"](llama)
    assert len(asked) == 1
    assert not is_out_of_memory(ValueError("memory"))


def test_rows_keep_their_order_in_parts(llama):
    def work(where):
        if len(where) > 1 and 3 in where:
            raise MemoryError
        return [f"row {i}" for i in where]

    assert in_parts(llama, [5] * 7, work) == [f"row {i}" for i in range(7)]
    assert in_parts(llama, [], work) == []


@pytest.mark.parametrize(("free", "most"), [(2**40, len(TEXTS)), (2**10, 1)])
def test_the_free_memory_says_how_many_rows_are_tried_first(llama, monkeypatch, free, most, capsys):
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=free))
    limit_by_free_memory(llama)
    asked = memory_of(llama, len(TEXTS))
    READINGS["generation"](llama)
    assert max(asked) == most
    assert capsys.readouterr().err == ""
