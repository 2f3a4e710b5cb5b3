"""`chrf` and `repetition`: similarity to the reference and novelty of wording, without a model."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version

from graftbench.benchmark.metrics.similarity import chrf, novelty, trigrams
from graftbench.judges.protocol import NO_REFERENCE, Case, Graded, Verdict


@dataclass(frozen=True)
class Chrf(Graded):
    """Scores a completion by its chrF (Popović, 2015) to the reference, from 0 to 1."""

    @property
    def identity(self) -> str:
        """Kind and version, of the judge and of sacrebleu."""
        return f"chrf/1 sacrebleu {version('sacrebleu')}"

    def __call__(self, cases: Sequence[Case]) -> list[Verdict]:
        """Return a verdict on each case."""
        verdicts = {case: _similarity(case) for case in dict.fromkeys(cases)}
        return [verdicts[case] for case in cases]


@dataclass(frozen=True)
class Repetition(Graded):
    """Scores a completion by its share of new trigrams of words: 1 for a text that never repeats itself."""

    identity: str = "repetition/1"

    def __call__(self, cases: Sequence[Case]) -> list[Verdict]:
        """Return a verdict on each case: 1 for fewer than three words, 0 for none."""
        verdicts = {text: _novelty(text) for text in dict.fromkeys(case.completion for case in cases)}
        return [verdicts[case.completion] for case in cases]


def _similarity(case: Case) -> Verdict:
    if case.reference is None:
        return Verdict(None, reason=NO_REFERENCE)
    return Verdict(chrf(case.completion, case.reference), f"expected {case.reference!r}")


def _novelty(text: str) -> Verdict:
    counts = Counter(trigrams(text))
    if not counts:
        return Verdict(novelty(text), "too short to repeat itself" if text.strip() else "nothing was said")
    (most, times), *_ = counts.most_common(1)
    return Verdict(novelty(text), f"{' '.join(most)!r} {times} times")
