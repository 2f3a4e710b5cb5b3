"""`chrf`, `repetition`: how like its reference a completion is, and how little it repeats itself, without an LLM."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version

from graftbench.benchmark.metrics.likeness import chrf

from .protocol import Case, Verdict

_N = 3  # words in a row


@dataclass(frozen=True)
class Chrf:
    """chrF (Popović, 2015) of the completion to the reference, from 0 to 1."""

    @property
    def identity(self) -> str:
        """Kind, version and the library's."""
        return f"chrf/1 sacrebleu {version('sacrebleu')}"

    def __call__(self, cases: Sequence[Case]) -> list[Verdict]:
        """A verdict on each case."""
        return [_likeness(case) for case in cases]


@dataclass(frozen=True)
class Repetition:
    """The share of three words in a row that were not said before: 1 for text that never repeats itself."""

    identity: str = "repetition/1"

    def __call__(self, cases: Sequence[Case]) -> list[Verdict]:
        """A verdict on each case; fewer than three words cannot repeat, no words at all are no text."""
        return [_novelty(case.completion) for case in cases]


def _likeness(case: Case) -> Verdict:
    if case.reference is None:
        return Verdict(None, reason="there is no reference to compare with")
    return Verdict(chrf(case.completion, case.reference), f"expected {case.reference!r}")


def _novelty(text: str) -> Verdict:
    words = text.split()
    if not words:
        return Verdict(0.0, "nothing was said")
    rows = [tuple(words[i : i + _N]) for i in range(len(words) - _N + 1)]
    if not rows:
        return Verdict(1.0, "too short to repeat itself")
    (most, times), *_ = Counter(rows).most_common(1)
    return Verdict(len(set(rows)) / len(rows), f"{' '.join(most)!r} {times} times")
