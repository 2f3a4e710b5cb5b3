"""`chrf`, `repetition`: how like its reference a completion is, and how little it repeats itself, without an LLM."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version

from graftbench.benchmark.metrics.similarity import chrf, novelty, runs_of
from graftbench.judges.protocol import Case, Graded, Verdict


@dataclass(frozen=True)
class Chrf(Graded):
    """chrF (Popović, 2015) of the completion to the reference, from 0 to 1."""

    @property
    def identity(self) -> str:
        """Kind, version and the library's."""
        return f"chrf/1 sacrebleu {version('sacrebleu')}"

    def __call__(self, cases: Sequence[Case]) -> list[Verdict]:
        """A verdict on each case."""
        found = {case: _likeness(case) for case in dict.fromkeys(cases)}
        return [found[case] for case in cases]


@dataclass(frozen=True)
class Repetition(Graded):
    """The share of three words in a row that were not said before: 1 for text that never repeats itself."""

    identity: str = "repetition/1"

    def __call__(self, cases: Sequence[Case]) -> list[Verdict]:
        """A verdict on each case; fewer than three words cannot repeat, no words at all are no text."""
        found = {text: _novelty(text) for text in dict.fromkeys(case.completion for case in cases)}
        return [found[case.completion] for case in cases]


def _likeness(case: Case) -> Verdict:
    if case.reference is None:
        return Verdict(None, reason="there is no reference to compare with")
    return Verdict(chrf(case.completion, case.reference), f"expected {case.reference!r}")


def _novelty(text: str) -> Verdict:
    runs = runs_of(text)
    if not runs:
        return Verdict(novelty(text), "too short to repeat itself" if text.strip() else "nothing was said")
    (most, times), *_ = Counter(runs).most_common(1)
    return Verdict(novelty(text), f"{' '.join(most)!r} {times} times")
