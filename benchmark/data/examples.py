"""Prompts, turns of a conversation and examples."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from graftbench.benchmark.core.hashing import digest

Span = tuple[int, int]  # of characters: the first, and the one after the last
Track = Literal["task", "unseen", "general"]  # on what a mapper is fitted


@dataclass(frozen=True)
class Prompt:
    """A user's message, with the span of its trigger, if it has one."""

    text: str
    trigger: Span | None = None


Conversations = Sequence[tuple[Prompt, str]]  # prompts with replies, on which mappers are fitted


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
    `reference` a reply that is known to be good.
    """

    prompt: Prompt
    clean: Turn | None
    cluster: str
    group: str = ""
    reference: str | None = None

    @property
    def id(self) -> str:
        """Short hash of the prompt's text."""
        return digest(self.prompt.text)[:12]
