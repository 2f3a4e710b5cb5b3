"""`intact`, `like_clean`: completions judged by the target's own standards, without a server.

The thresholds were chosen on completions of a real model that were read: `gold/thresholds.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import ClassVar

from graftbench.benchmark.metrics.similarity import character_novelty, chrf
from graftbench.judges.protocol import NO_CLEAN_ANSWER, NO_PERPLEXITY, Case, Verdict, YesOrNo

RUN = 6  # characters; runs of words would miss a text that repeats itself without spaces
WINDOW = 200  # characters before a run in which it may have been there already, about as long as those completions
MIN_NOVELTY = 0.66  # share of new runs: below it a text goes round in circles
MAX_PERPLEXITY = 150.0  # per token, under the untouched target: above it a text is none of its own
MIN_CHRF = 0.3  # to the clean answer


@dataclass(frozen=True)
class Intact(YesOrNo):
    """Scores 1 where a completion says something, does not repeat itself, and could be the untouched target's own."""

    needs_perplexity: ClassVar[bool] = True

    @property
    def identity(self) -> str:
        """Kind, version and thresholds."""
        return f"intact/1 novelty {MIN_NOVELTY:g} of {RUN} characters in {WINDOW} perplexity {MAX_PERPLEXITY:g}"

    def __call__(self, cases: Sequence[Case]) -> list[Verdict]:
        """Return a verdict on each case; a completion of unknown perplexity is unscored."""
        return [_intact(case) for case in cases]


@dataclass(frozen=True)
class LikeClean(YesOrNo):
    """Scores 1 where a completion is intact and similar enough to the target's clean answer, by chrF."""

    needs_perplexity: ClassVar[bool] = True

    @property
    def identity(self) -> str:
        """Kind, version and thresholds, also those of `intact`, and the version of sacrebleu."""
        return f"like_clean/1 chrf {MIN_CHRF:g} sacrebleu {version('sacrebleu')}; {Intact().identity}"

    def __call__(self, cases: Sequence[Case]) -> list[Verdict]:
        """Return a verdict on each case; without a clean answer or a perplexity it is unscored."""
        verdicts = {case: _like_clean(case) for case in dict.fromkeys(cases)}
        return [verdicts[case] for case in cases]


def _intact(case: Case) -> Verdict:
    if case.perplexity is None:
        return Verdict(None, reason=NO_PERPLEXITY)
    if not case.completion.strip():
        return Verdict(0.0, "nothing was said")
    new = character_novelty(case.completion, RUN, WINDOW)
    evidence = f"{new:.2f} of its runs of {RUN} characters are new, perplexity {case.perplexity:.4g}"
    return Verdict(float(new >= MIN_NOVELTY and case.perplexity <= MAX_PERPLEXITY), evidence)


def _like_clean(case: Case) -> Verdict:
    if case.clean is None:
        return Verdict(None, reason=NO_CLEAN_ANSWER)
    intact = _intact(case)
    if intact.score != 1:
        return intact
    similarity = chrf(case.completion, case.clean)
    return Verdict(float(similarity >= MIN_CHRF), f"chrF {similarity:.2f}; {intact.evidence}")
