"""`ignorance`: whether a completion says that nothing is known."""

from collections.abc import Sequence
from dataclasses import dataclass

from .protocol import Case, Verdict, YesOrNo
from .wordings import verdicts

# The first is how the models of Oozeer et al. (2025, appendix D.7.1) put it; the others are ours.
ADMISSIONS = (
    "find any information",
    "any information on",
    "I don't know",
    "I do not know",
    "not aware of",
    "not familiar with",
    "no information",
    "does not exist",
    "doesn't exist",
)


@dataclass(frozen=True)
class Ignorance(YesOrNo):
    """Scores 1 where one of the phrases occurs anywhere, upper and lower case alike, and 0 elsewhere."""

    phrases: tuple[str, ...] = ADMISSIONS

    @property
    def identity(self) -> str:
        """Kind, version and phrases."""
        return f"ignorance/1 {'; '.join(self.phrases)}"

    def __call__(self, cases: Sequence[Case]) -> list[Verdict]:
        """A verdict on each case."""
        return verdicts(self.phrases, cases)
