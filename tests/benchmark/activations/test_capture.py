import torch

from graftbench.benchmark.activations.capture import capture_rows, residuals, states_at, token_states
from graftbench.benchmark.data.examples import Prompt
from graftbench.benchmark.models.chat import chat
from graftbench.benchmark.models.tokens import pad, token_ids
from tests.benchmark.interventions.test_hooks import IDS, n_hooks


def test_every_site_is_the_input_of_its_block(model):
    hidden = model.module(IDS, output_hidden_states=True, use_cache=False).hidden_states
    before = n_hooks(model)  # transformers leaves some of its own
    states = residuals(model, {"input_ids": IDS}, [0, 1, 2])
    assert all(torch.equal(states[site], hidden[site]) for site in range(3))
    assert n_hooks(model) == before


def test_nothing_above_the_last_site_is_run(model):
    ran = []
    handle = model.blocks[1].register_forward_hook(lambda *_: ran.append(1))
    residuals(model, {"input_ids": IDS}, [1])
    handle.remove()
    assert not ran


def test_a_row_gives_the_same_activations_in_any_batch(model):
    rows = [[5, 6, 7], [8, 9, 10, 11, 12, 13, 14], [15], [16, 17, 18, 19]]
    together = dict(capture_rows(model, rows, 2))
    for batch_tokens in (1, 8):
        for i, states in capture_rows(model, rows, 2, batch_tokens):
            assert states.shape == (len(rows[i]), 16)
            assert torch.allclose(states, together[i], atol=1e-5)
    alone = residuals(model, pad([rows[1]], model), [2])[2][0]
    assert torch.allclose(alone, together[1], atol=1e-5)


def test_states_of_all_tokens_are_in_the_order_of_the_lengths_of_their_texts(llama):
    texts = [chat(Prompt(words), llama.tokenizer) for words in ("Tell me about the old river", "So it is")]
    states = token_states(llama, texts, 1)
    assert states.shape == (sum(len(token_ids(text.text, llama.tokenizer)) for text in texts), 16)
    last = states_at(llama, texts, 1, "last")[:, 0]
    n_short = len(token_ids(texts[1].text, llama.tokenizer))
    assert torch.allclose(states[[-1, n_short - 1]], last, atol=1e-5)
