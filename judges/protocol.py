"""The protocol of judges: cases in, verdicts out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

# Reasons for a case without a score that several judges give. They are stored in results.
NO_REFERENCE = "there is no reference to compare with"
NO_CLEAN_ANSWER = "there is no clean answer of the target to compare with"
NO_PERPLEXITY = "its perplexity under the untouched target is not known"
NOT_FINITE = "the model's logits are not finite"
TOO_LONG = "longer than the model's context"


@dataclass(frozen=True)
class Case:
    """One completion to judge, the prompt that it answers, and what it can be compared with, where that is known.

    `reference` is a reply that is known to be good, `clean` the target's own answer without the undesired behaviour.
    `perplexity`, of the completion under the untouched target, is there only for judges that need it.
    """

    prompt: str
    completion: str
    reference: str | None = None
    clean: str | None = None
    perplexity: float | None = None


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


NO_USAGE = Usage()


@dataclass(frozen=True)
class Verdict:
    """A judge's score for one completion, with its evidence; None with a reason where the completion is unscored.

    `expected` is a finer score for ranking cases, such as the mean over a model's distribution of labels. `usage` is
    what a paid judge charged for.
    """

    score: float | None
    evidence: str = ""
    reason: str = ""
    scale: tuple[float, float] = (0.0, 1.0)
    expected: float | None = None
    usage: Usage = NO_USAGE

    def __post_init__(self) -> None:
        if self.score is None and not self.reason:
            raise ValueError("a verdict without a score needs a reason")
        if self.score is not None and not self.scale[0] <= self.score <= self.scale[1]:
            raise ValueError(f"{self.score} is not on the scale from {self.scale[0]:g} to {self.scale[1]:g}")


class YesOrNo:
    """Mixin for judges that score 0 or 1, and nothing between."""

    scale: ClassVar[tuple[float, float]] = (0.0, 1.0)
    binary: ClassVar[bool] = True
    needs_perplexity: ClassVar[bool] = False


class Graded:
    """Mixin for judges that score anything from 0 to 1."""

    scale: ClassVar[tuple[float, float]] = (0.0, 1.0)
    binary: ClassVar[bool] = False
    needs_perplexity: ClassVar[bool] = False


class Judge(Protocol):
    """Gives each case a verdict."""

    @property
    def scale(self) -> tuple[float, float]:
        """Lowest and highest score."""

    @property
    def binary(self) -> bool:
        """True where every score is 0 (no) or 1 (yes)."""

    @property
    def needs_perplexity(self) -> bool:
        """True where cases need the perplexity of the completion, which costs a forward pass of the target."""

    @property
    def identity(self) -> str:
        """Kind, version and settings in one line: everything that verdicts depend on."""

    def __call__(self, cases: Sequence[Case]) -> list[Verdict]:
        """Return a verdict on each case, in order."""
