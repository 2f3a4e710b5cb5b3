"""Conversations in a model's chat format, and plain text."""

from collections.abc import Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerFast

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.examples import Prompt, Span, Turn
from graftbench.benchmark.models.handle import ModelHandle
from graftbench.benchmark.models.rendering import Message, begun, n_leading_spaces, rendered


@dataclass(frozen=True)
class Chat:
    """A conversation in a model's chat format, with the span of each message.

    The text between the `spans` is the format, which differs from family to family; the messages do not.
    """

    text: str
    spans: tuple[Span, ...]
    trigger: Span | None = None

    def with_reply(self, reply: str) -> "Chat":
        """Append (more of) the model's reply."""
        start = len(self.text)
        return Chat(self.text + reply, (*self.spans, (start, start + len(reply))), self.trigger)


def chat(prompt: Prompt, tokenizer: PreTrainedTokenizerFast) -> Chat:
    """Render a prompt and the turns before it in a model's chat format, up to the start of the model's reply.

    UserError where the format cannot hold them as they stand.
    """
    earlier = [message for turn in prompt.before for message in _messages(*turn)]
    return chat_of_messages([*earlier, {"role": "user", "content": prompt.text}], tokenizer, prompt.trigger)


def _messages(user: str, assistant: str) -> tuple[Message, Message]:
    return {"role": "user", "content": user}, {"role": "assistant", "content": assistant}


def chat_of_messages(
    messages: Sequence[Message], tokenizer: PreTrainedTokenizerFast, trigger: Span | None = None
) -> Chat:
    """Render messages of any role, the last of them with a trigger, up to the start of the model's reply."""
    text, spans = rendered(messages, tokenizer)
    if trigger is None:
        return Chat(text, tuple(spans))
    last = messages[-1]["content"]
    start = spans[-1][0] - n_leading_spaces(last)
    placed = (start + trigger[0], start + trigger[1])
    if text[slice(*placed)] != last[slice(*trigger)]:
        raise UserError(
            f"The chat format strips white space that belongs to the trigger of {last[:80]!r}: leave that out."
        )
    return Chat(text, tuple(spans), placed)


def plain_text(text: str, tokenizer: PreTrainedTokenizerFast, trigger: Span | None = None) -> Chat:
    """Return a text that is no conversation, as one message after the token that begins a text, if there is one."""
    whole = _as_tokenized(text, tokenizer)
    start = len(whole) - len(text)
    placed = None if trigger is None else (start + trigger[0], start + trigger[1])
    return Chat(whole, ((start, len(whole)),), placed)


def _as_tokenized(text: str, tokenizer: PreTrainedTokenizerFast) -> str:
    """Return a text after the token that begins it, with the space that some tokenizers put between them."""
    whole = begun(text, tokenizer)
    added = whole[: len(whole) - len(text)]
    if not added:
        return whole
    expected = tokenizer(text).input_ids
    spaced = f"{added} {text}"
    found = [tokenizer(each, add_special_tokens=False).input_ids for each in (whole, spaced)]
    return spaced if found[0] != expected == found[1] else whole


def with_reply(prompt: Prompt | None, reply: str, model: ModelHandle) -> Chat:
    """Render a prompt with its reply in a model's chat format; without a prompt the reply is plain text."""
    return plain_text(reply, model.tokenizer) if prompt is None else chat(prompt, model.tokenizer).with_reply(reply)


def turn_chat(turn: Turn, model: ModelHandle) -> Chat:
    """Render a turn, up to the reply so far, in a model's chat format."""
    text = chat(turn.prompt, model.tokenizer)
    return text.with_reply(turn.reply) if turn.reply else text


def continued_chat(turn: Turn, model: ModelHandle) -> Chat:
    """Render a turn with the reply so far and its continuation in a model's chat format."""
    return chat(turn.prompt, model.tokenizer).with_reply(turn.reply + turn.continuation)
