"""What a judge is: completions in, verdicts out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol


@dataclass(frozen=True)
class Case:
    """One completion to judge, with the prompt it answers and, where there is one, a reply that is known to be good."""

    prompt: str
    completion: str
    reference: str | None = None


@dataclass(frozen=True)
class Usage:
    """Tokens read and written by a judge, and their price in dollars; None where no prices are known."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    dollars: float | None = 0.0

    def __add__(self, other: "Usage") -> "Usage":
        known = self.dollars is not None and other.dollars is not None
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            (self.dollars or 0.0) + (other.dollars or 0.0) if known else None,
        )


NOTHING = Usage()


@dataclass(frozen=True)
class Verdict:
    """A judge's answer on one completion: a score on its scale, or none with the reason; and what it rests on.

    `soft` is a finer score, where there is one, by which cases can be ranked; `took` is what a judge that is paid for
    took to say it.
    """

    score: float | None
    evidence: str = ""
    reason: str = ""
    scale: tuple[float, float] = (0.0, 1.0)
    soft: float | None = None
    took: Usage = NOTHING

    def __post_init__(self) -> None:
        if self.score is None and not self.reason:
            raise ValueError("a verdict without a score needs a reason")
        if self.score is not None and not self.scale[0] <= self.score <= self.scale[1]:
            raise ValueError(f"{self.score} is not on the scale from {self.scale[0]:g} to {self.scale[1]:g}")


class YesOrNo:
    """Of a judge that scores 0 or 1, and nothing between."""

    scale: ClassVar[tuple[float, float]] = (0.0, 1.0)
    binary: ClassVar[bool] = True


class Graded:
    """Of a judge that scores anything from 0 to 1."""

    scale: ClassVar[tuple[float, float]] = (0.0, 1.0)
    binary: ClassVar[bool] = False


class Judge(Protocol):
    """Gives each case a verdict; `identity` says everything that its verdicts depend on."""

    @property
    def scale(self) -> tuple[float, float]:
        """The lowest and the highest score."""

    @property
    def binary(self) -> bool:
        """Whether it says yes, which is 1, or no, which is 0, and nothing between."""

    @property
    def identity(self) -> str:
        """Kind, version and settings, in one line."""

    def __call__(self, cases: Sequence[Case]) -> list[Verdict]:
        """A verdict on each case, in order."""
