"""Conversations in a model's chat format."""

from dataclasses import dataclass

from transformers import PreTrainedTokenizerFast

from graftbench.benchmark.data.examples import Prompt, Span, Turn
from graftbench.benchmark.models.load import Model


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


def render(prompt: str, tokenizer: PreTrainedTokenizerFast) -> str:
    """Render a prompt as the user's turn, up to the start of the model's reply."""
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": prompt}], tokenize=False, add_generation_prompt=True
    )
    assert isinstance(text, str)
    return text


def chat(prompt: Prompt, tokenizer: PreTrainedTokenizerFast) -> Chat:
    """Render a prompt in a model's chat format; ValueError where the format changes the user's words."""
    text = render(prompt.text, tokenizer)
    start = text.rfind(prompt.text)
    if start < 0:
        raise ValueError(f"the chat format does not hold the prompt as it stands: {prompt.text!r}")
    trigger = prompt.trigger and (start + prompt.trigger[0], start + prompt.trigger[1])
    return Chat(text, ((start, start + len(prompt.text)),), trigger)


def with_reply(prompt: Prompt, reply: str, model: Model) -> Chat:
    """Render a prompt with its reply in a model's chat format."""
    return chat(prompt, model.tokenizer).with_reply(reply)


def turn_chat(turn: Turn, model: Model) -> Chat:
    """Render a turn, up to the reply so far, in a model's chat format."""
    text = chat(turn.prompt, model.tokenizer)
    return text.with_reply(turn.reply) if turn.reply else text


def continued_chat(turn: Turn, model: Model) -> Chat:
    """Render a turn with the reply so far and its continuation in a model's chat format."""
    return chat(turn.prompt, model.tokenizer).with_reply(turn.reply + turn.continuation)
