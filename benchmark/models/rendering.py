"""Messages rendered by a chat template, and the span of each in the text.

A template is asked twice, for the messages and for marks in their place: what stands around the marks is the format.
Looking for the messages in the text would find a short one, such as `a`, in the format or in a default system prompt.
"""

import re
from collections.abc import Mapping, Sequence
from weakref import WeakKeyDictionary

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerFast

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.examples import Span

Message = Mapping[str, str]  # `role` and `content`, as chat templates have them

_MARK = "\ue000{}\ue001"  # characters for private use, which no template treats as white space
_MARKS = re.compile("\ue000\\d+\ue001")
_KNOWN: WeakKeyDictionary[PreTrainedTokenizerFast, dict[tuple[str, ...], list[str]]] = WeakKeyDictionary()
_DAY = "26 Jul 2024"  # what templates that write the date fall back to; today's would change every hash
_REMEDY = "Give the model another format by `chat` (`--chat-format`): alpaca, plain, or a jinja file"


def rendered(messages: Sequence[Message], tokenizer: PreTrainedTokenizerFast) -> tuple[str, list[Span]]:
    """Render messages up to the start of the model's reply, with the span of each message.

    White space around a message belongs to the format, since some templates strip it. UserError where the template
    cannot render the messages, or changes more of them than white space.
    """
    text = render(messages, tokenizer)
    spans = _located(text, _around(messages, tokenizer), [message["content"] for message in messages])
    if spans is None:
        words = messages[-1]["content"][:80]
        raise UserError(
            f"The chat format of {_name(tokenizer)} changes the words of a conversation that ends in {words!r}. "
            f"{_REMEDY}, or leave the conversation out."
        )
    return text, spans


def _around(messages: Sequence[Message], tokenizer: PreTrainedTokenizerFast) -> list[str]:
    """Return the text before, between and after messages of these roles."""
    known = _KNOWN.setdefault(tokenizer, {})
    key = (str(tokenizer.chat_template), *(message["role"] for message in messages))
    if key not in known:
        marked = [{**message, "content": _MARK.format(i)} for i, message in enumerate(messages)]
        text = render(marked, tokenizer)
        if _MARKS.findall(text) != [message["content"] for message in marked]:
            raise UserError(
                f"The chat format of {_name(tokenizer)} does not hold each message once, in order. {_REMEDY}."
            )
        known[key] = _MARKS.split(text)
    return known[key]


def _located(text: str, around: Sequence[str], messages: Sequence[str]) -> list[Span] | None:
    """Return the spans of messages, without white space at their ends; None where they do not fill the format."""
    if not text.startswith(around[0]):
        return None
    spans: list[Span] = []
    stop = len(around[0])
    for message, after in zip(messages, around[1:], strict=True):
        kept = next((m for m in (message, message.strip()) if text.startswith(m + after, stop)), None)
        if kept is None:
            return None
        start = stop + n_leading_spaces(kept)
        spans.append((start, start + len(kept.strip())))
        stop += len(kept + after)
    return spans if stop == len(text) else None


def n_leading_spaces(text: str) -> int:
    """Return the number of white-space characters that a text starts with."""
    return len(text) - len(text.lstrip())


def render(messages: Sequence[Message], tokenizer: PreTrainedTokenizerFast) -> str:
    """Render messages up to the start of the model's reply; UserError where the template cannot.

    Templates that can think aloud are told not to. No system prompt is given, so a template's default stays.
    """
    if not tokenizer.chat_template:
        raise UserError(f"The tokenizer of {_name(tokenizer)} has no chat template. {_REMEDY}.")
    try:
        text = tokenizer.apply_chat_template(
            [dict(message) for message in messages],
            tokenize=False,
            add_generation_prompt=True,
            enable_thinking=False,
            date_string=_DAY,
            strftime_now=None,  # not callable: a template that wants today's date all the same fails
        )
    except (TemplateError, TypeError, ValueError) as error:
        raise UserError(f"The chat format of {_name(tokenizer)} {_reason(error, tokenizer)}. {_REMEDY}.") from error
    assert isinstance(text, str)
    return begun(text, tokenizer)


def _reason(error: Exception, tokenizer: PreTrainedTokenizerFast) -> str:
    if isinstance(error, TypeError) and "strftime_now" in str(tokenizer.chat_template):
        return "writes today's date, so that results would change from day to day"
    return f"refuses the conversation: {str(error).rstrip('.')}"


def begun(text: str, tokenizer: PreTrainedTokenizerFast) -> str:
    """Put the token that begins a text before one that lacks it, where the tokenizer puts it before plain text."""
    bos = tokenizer.bos_token
    if bos is None or text.lstrip().startswith(bos):
        return text
    adds = tokenizer("x").input_ids[0] == tokenizer.bos_token_id
    return bos + text if adds else text


def _name(tokenizer: PreTrainedTokenizerFast) -> str:
    return tokenizer.name_or_path or "this model"
