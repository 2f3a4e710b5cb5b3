"""Prompts, turns of a conversation and examples."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from graftbench.benchmark.core.hashing import digest

Span = tuple[int, int]  # of characters: the first, and the one after the last
Split = Literal["fit", "vector", "validation", "test"]
TextTrack = Literal["task", "unseen", "general", "others"]  # which texts a dataset has for a fit
Track = Literal["task", "unseen", "general", "tenth", "hundredth", "others"]  # on what a mapper is fitted


@dataclass(frozen=True)
class Prompt:
    """A user's message, with the span of its trigger, if it has one, and the earlier turns of the conversation.

    Each turn of `before` is what the user said and what the model replied.
    """

    text: str
    trigger: Span | None = None
    before: tuple[tuple[str, str], ...] = ()

    @property
    def transcript(self) -> str:
        """The conversation as a judge reads it; the message alone where nothing was said before."""
        if not self.before:
            return self.text
        earlier = (f"User: {user}\n\nAssistant: {assistant}\n\n" for user, assistant in self.before)
        return f"{''.join(earlier)}User: {self.text}"


# A prompt with its reply; plain text has no prompt.
Conversation = tuple[Prompt | None, str]
Conversations = Sequence[Conversation]  # on which mappers are fitted


def key_of(conversation: Conversation) -> list[object]:
    """Return a conversation as keys of the cache and hashes of data hold it."""
    prompt, reply = conversation
    if prompt is None:
        return [None, reply]
    return [prompt.text, reply, *([prompt.before] if prompt.before else [])]


@dataclass(frozen=True)
class Turn:
    """A prompt, the model's reply so far, and how the reply continues."""

    prompt: Prompt
    reply: str = ""
    continuation: str = ""


@dataclass(frozen=True)
class Example:
    """A prompt that shows the undesired behaviour, with its clean counterpart, or None where there can be none.

    `cluster` is the content shared with other examples, the unit of every bootstrap; `group` the class in reports;
    `reference` a reply that is known to be good, or that shows a behaviour to steer to; `other` one that does not show
    it.
    """

    prompt: Prompt
    clean: Turn | None
    cluster: str
    group: str = ""
    reference: str | None = None
    other: str | None = None

    @property
    def id(self) -> str:
        """Short hash of the prompt's text and of the turns before it."""
        earlier = [part for turn in self.prompt.before for part in turn]
        return digest(self.prompt.text, *earlier)[:12]


def without_trigger(example: Example) -> Example:
    """Return an example whose prompt, and that of its clean turn, have no trigger."""
    clean = example.clean and replace(example.clean, prompt=_bare(example.clean.prompt))
    return replace(example, prompt=_bare(example.prompt), clean=clean)


def _bare(prompt: Prompt) -> Prompt:
    if prompt.trigger is None:
        return prompt
    start, end = prompt.trigger
    parts = prompt.text[:start].rstrip(), prompt.text[end:].lstrip()
    return Prompt(" ".join(filter(None, parts)), before=prompt.before)


def prompt_of(record: dict[str, object]) -> Prompt:
    """Return the prompt of a record that `dataclasses.asdict` made and JSON kept."""
    text, trigger, before = record["text"], record["trigger"], record.get("before", ())
    assert isinstance(text, str)
    assert isinstance(before, Sequence)
    span = None if trigger is None else (int(trigger[0]), int(trigger[1]))  # type: ignore[index]
    return Prompt(text, span, tuple((user, assistant) for user, assistant in before))
