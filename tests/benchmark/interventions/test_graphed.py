import logging
from itertools import pairwise

import pytest
import torch

from graftbench.benchmark.data.examples import Prompt
from graftbench.benchmark.interventions.conditions import Row
from graftbench.benchmark.interventions.cross_model import Follow, Link
from graftbench.benchmark.interventions.decoding import Decoding, followers_of
from graftbench.benchmark.interventions.graphed import FixedDecoding, power_of_two
from graftbench.benchmark.models import recorded as recording
from graftbench.benchmark.models.chat import chat
from graftbench.benchmark.models.kv_cache import cache_for, can_be_fixed
from graftbench.benchmark.models.tokens import token_ids
from tests.benchmark.conftest import WORDS
from tests.benchmark.interventions.test_decoding import rows_of

N = 16


def run(decoding, model, rows):
    ids = [token_ids(row.text.text, model.tokenizer) for row in rows]
    with followers_of(model, rows) as followers:
        return decoding(model, rows, ids, N, (), followers).run()


def test_tensors_that_keep_their_places_give_the_same_replies(model):
    rows = rows_of(model, 20)
    free, _ = run(Decoding, model, rows)
    model.module.generation_config.eos_token_id = [tokens[len(tokens) // 2] for tokens in free[:2]]
    assert run(FixedDecoding, model, rows) == run(Decoding, model, rows)


def test_every_tensor_of_a_step_stays_where_it_is(llama, monkeypatch):
    places = []
    forward = llama.module.forward

    def remember(**inputs):
        if inputs["input_ids"].shape[1] == 1:
            layers = inputs["past_key_values"].layers
            tensors = [inputs[name] for name in ("input_ids", "attention_mask", "position_ids")]
            tensors += [each for layer in layers for each in (layer.keys, layer.values)]
            places.append((len(inputs["input_ids"]), [(each.data_ptr(), each.shape) for each in tensors]))
        return forward(**inputs)

    monkeypatch.setattr(llama.module, "forward", remember)
    llama.module.generation_config.eos_token_id = None
    run(FixedDecoding, llama, rows_of(llama, 8))
    assert {n for n, _ in places} <= {8, 4, 2, 1}
    for one, other in pairwise(places):
        assert one[0] != other[0] or one == other


@pytest.mark.parametrize(
    ("n", "n_ended", "left"),
    [(8, 3, 8), (8, 4, 4), (8, 5, 4), (8, 6, 2), (8, 7, 1), (5, 1, 5), (5, 3, 2), (256, 120, 256)],
)
def test_rows_leave_down_to_a_power_of_two(n, n_ended, left):
    ended = torch.zeros(n, dtype=torch.bool)
    ended[torch.randperm(n, generator=torch.Generator().manual_seed(n_ended))[:n_ended]] = True
    stay = power_of_two(ended, n_ended)
    assert (n if stay is None else len(stay)) == left
    if stay is not None:
        assert stay.tolist() == sorted(set(stay.tolist()))
        assert set((~ended).nonzero().flatten().tolist()) <= set(stay.tolist())


def test_a_step_is_recorded_after_its_warm_up_once_for_each_number_of_rows(llama, monkeypatch):
    recorded, replayed = [], []

    def record(step, _):
        recorded.append(step)
        return lambda: replayed.append(step()) or None

    monkeypatch.setattr(recording, "_record", record)
    monkeypatch.setattr(recording, "_can_record", lambda _: True)
    monkeypatch.setattr(recording, "_warm_up", lambda step: step())
    rows = rows_of(llama, 8)
    expected = run(Decoding, llama, rows)
    assert run(FixedDecoding, llama, rows) == expected
    assert len(recorded) >= 1
    assert len(replayed) >= N - 1 - recording._WARM_UP


def test_rows_that_follow_a_model_are_decoded_as_ever_and_the_log_says_so(llama, caplog):
    follow = Follow(llama, (Link(1, 1, lambda states: 0.5 * states),), "half")
    rows = [Row(chat(Prompt(words), llama.tokenizer), (), follow) for words in WORDS]
    with caplog.at_level(logging.WARNING):
        assert run(FixedDecoding, llama, rows) == run(Decoding, llama, rows)
    assert "not recorded" in caplog.text


def test_a_model_with_a_window_is_decoded_as_ever(model):
    has_window = type(model.module).__name__.startswith("Gemma")
    assert can_be_fixed(cache_for(model.module)) != has_window
