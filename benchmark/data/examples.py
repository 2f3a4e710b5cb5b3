"""Prompts, turns of a conversation and examples."""

from dataclasses import dataclass

from graftbench.benchmark.core.hashing import digest

Span = tuple[int, int]  # characters, from and up to


@dataclass(frozen=True)
class Prompt:
    """What a user says, and where in it a trigger stands, if it has one."""

    text: str
    trigger: Span | None = None


@dataclass(frozen=True)
class Turn:
    """A prompt, what the model has said to it so far, and what it says then."""

    prompt: Prompt
    reply: str = ""
    continuation: str = ""


@dataclass(frozen=True)
class Example:
    """A prompt that shows the undesired behaviour, and how the same is asked without it, where that can be.

    `cluster` is the content that it shares with other items, `group` the class that it is reported under, `reference`
    a reply that is known to be good.
    """

    prompt: Prompt
    clean: Turn | None
    cluster: str
    group: str = ""
    reference: str | None = None

    @property
    def id(self) -> str:
        """A short name that goes with the words."""
        return digest(self.prompt.text)[:12]
