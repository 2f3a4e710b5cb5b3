import random

import pytest
import torch
from transformers import GPTNeoConfig, GPTNeoForCausalLM

from graftbench.benchmark.activations import incremental
from graftbench.benchmark.activations.incremental import IncrementalReader
from graftbench.benchmark.models.block_search import blocks_of
from graftbench.benchmark.models.load import Model
from tests.benchmark.conftest import byte_pairs, untrained, wrapped

SITES = (2, 1)
STEPS = 12


def a_row(luck, n):
    return [luck.randrange(3, 300) for _ in range(n)]


def changed(luck, row):
    """The row with up to two tokens fewer at its end, and up to three more; never shorter than four."""
    return [*row[: max(4, len(row) - luck.randrange(3))], *a_row(luck, luck.randrange(4))]


def as_read_anew(model, rows):
    return {site: states[:, -1] for site, states in IncrementalReader(model, SITES).read(rows).items()}


def same(states, wanted):
    return all(torch.allclose(states[site], wanted[site], atol=2e-5, rtol=1e-4) for site in SITES)


@pytest.fixture
def widths(monkeypatch):
    """Return the number of tokens of each row in every forward pass."""
    seen = []
    run = incremental.residuals

    def watched(model, inputs, *more):
        seen.append(inputs["input_ids"].shape[1])
        return run(model, inputs, *more)

    monkeypatch.setattr(incremental, "residuals", watched)
    return seen


def test_rows_that_change_at_their_ends_give_what_they_give_when_read_anew(model):
    luck = random.Random(0)
    rows = [a_row(luck, n) for n in (5, 9, 20, 30)]
    reader = IncrementalReader(model, SITES)
    reader.read(rows)
    for step in range(STEPS):
        rows = [changed(luck, row) for row in rows]
        assert same(reader.last_states(rows), as_read_anew(model, rows))
        if step == STEPS // 2:
            reader.keep([2, 0])
            rows = [rows[2], rows[0]]
            assert reader.rows == rows


def test_rows_that_grow_token_by_token_give_what_they_give_when_read_anew(model):
    luck = random.Random(1)
    rows = [a_row(luck, n) for n in (3, 12, 20)]
    reader = IncrementalReader(model, SITES)
    reader.read(rows)
    for _ in range(STEPS):
        rows = [[*row, *a_row(luck, 1)] for row in rows]
        assert same(reader.last_states(rows), as_read_anew(model, rows))


def test_only_what_is_new_is_run(llama, widths):
    rows = [[5] * 20, [6] * 9]
    reader = IncrementalReader(llama, SITES)
    reader.read(rows)
    reader.last_states([[*row, 7] for row in rows])
    reader.last_states([[*rows[0], 7, 8], [*rows[1], 9, 9]])  # the second row's last token is another
    assert widths == [20, 1, 2]


def test_a_row_that_is_another_is_read_anew(llama, widths):
    reader = IncrementalReader(llama, SITES)
    reader.read([[5] * 20])
    assert same(reader.last_states([[7] * 20]), as_read_anew(llama, [[7] * 20]))
    assert widths[:2] == [20, 20]


def test_when_masked_slots_are_many_everything_is_read_anew(llama, widths):
    row = [5] * 20
    reader = IncrementalReader(llama, SITES)
    reader.read([row])
    for token in range(8, 16):
        reader.last_states([[*row, token, token]])
    assert widths == [20, *[2] * 6, 22, 2]


def test_a_row_that_did_not_change_is_as_it_was(llama):
    rows = [[5, 6, 7, 8], [5, 6, 7, 9, 10]]
    reader = IncrementalReader(llama, SITES)
    reader.read(rows)
    assert same(reader.last_states(rows), as_read_anew(llama, rows))


@pytest.mark.parametrize("architecture", ["gemma2", "gemma3"])
def test_masked_slots_within_a_window_are_no_part_of_it(architecture, widths):
    model = wrapped(untrained(architecture, sliding_window=60))
    luck = random.Random(3)
    rows = [a_row(luck, n) for n in (20, 30)]
    reader = IncrementalReader(model, SITES)
    reader.read(rows)
    for _ in range(STEPS):
        rows = [changed(luck, row) for row in rows]
        assert same(reader.last_states(rows), as_read_anew(model, rows))
    assert sum(width < 10 for width in widths) > STEPS // 2


def test_a_window_that_masked_slots_would_fill_is_read_anew(widths):
    gemma = wrapped(untrained("gemma2"))  # its window has six tokens
    row = a_row(random.Random(2), 12)
    reader = IncrementalReader(gemma, SITES)
    reader.read([row])
    reader.last_states([[*row, 7]])
    assert same(reader.last_states([[*row, 8]]), as_read_anew(gemma, [[*row, 8]]))
    assert widths[:3] == [12, 1, 13]


def test_an_architecture_that_is_not_known_is_read_anew_unless_it_only_grew(widths):
    """The windows of GPT-Neo are in its own blocks, and count slots."""
    shape = {"num_layers": 3, "num_heads": 4, "attention_types": [[["local"], 3]], "window_size": 6}
    config = GPTNeoConfig(vocab_size=320, hidden_size=16, intermediate_size=24, max_position_embeddings=128, **shape)
    torch.manual_seed(0)
    module = GPTNeoForCausalLM(config).eval()
    blocks = blocks_of(module, "transformer.h", ("attn", "mlp"))
    model = Model("untrained", module, byte_pairs(320), blocks, "")
    luck = random.Random(4)
    rows = [a_row(luck, n) for n in (12, 20)]
    reader = IncrementalReader(model, SITES)
    reader.read(rows)
    for token in (7, 8):
        longer = [[*row, token] for row in rows]
        assert same(reader.last_states(longer), as_read_anew(model, longer))
    assert widths == [20, 1, 21, 21, 21]  # read, grown, read anew to compare; another, and to compare


def test_rows_that_are_read_once_are_not_cached(llama):
    reader = IncrementalReader(llama, SITES)
    whole = reader.read([[5, 6, 7]], once=True)
    reader.keep([0])
    assert same({site: states[:, -1] for site, states in whole.items()}, as_read_anew(llama, [[5, 6, 7]]))
    with pytest.raises(AssertionError):
        _ = reader.rows
