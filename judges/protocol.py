"""What a judge is: completions in, verdicts out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Case:
    """One completion to judge, with the prompt it answers."""

    prompt: str
    completion: str


@dataclass(frozen=True)
class Verdict:
    """A judge's answer on one completion: a score, or none with the reason; and what it rests on."""

    score: float | None
    evidence: str = ""
    reason: str = ""

    def __post_init__(self) -> None:
        if self.score is None and not self.reason:
            raise ValueError("a verdict without a score needs a reason")


class Judge(Protocol):
    """Gives each case a verdict; `identity` says everything that its verdicts depend on."""

    @property
    def identity(self) -> str:
        """Kind, version and settings, in one line."""

    def __call__(self, cases: Sequence[Case]) -> list[Verdict]:
        """A verdict on each case, in order."""
