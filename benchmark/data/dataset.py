"""Fit tracks, and the conversations that mappers are fitted on."""

from collections.abc import Sequence
from typing import Literal

from graftbench.benchmark.data.examples import Prompt

Track = Literal["task", "unseen", "general"]


Texts = Sequence[tuple[Prompt, str]]  # prompts with replies
