"""A judge on a scale, asked for yes or no: whether its score is high enough."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from graftbench.benchmark.errors import UserError

from .protocol import Case, Judge, Verdict, YesOrNo


@dataclass(frozen=True)
class AtLeast(YesOrNo):
    """Scores 1 where another judge's score is at least `least`, 0 where it is below; what is unscored stays so."""

    judge: Judge
    least: float

    def __post_init__(self) -> None:
        low, high = self.judge.scale
        if not low < self.least <= high:
            raise UserError(
                f"`at_least` is {self.least:g}, and the judge scores from {low:g} to {high:g}: choose a mark above "
                f"{low:g} and not above {high:g}."
            )

    @property
    def identity(self) -> str:
        """The judge's, and the least score."""
        return f"{self.judge.identity} at least {self.least:g}"

    def __call__(self, cases: Sequence[Case]) -> list[Verdict]:
        """A verdict on each case, with the score as evidence."""
        return [self._verdict(verdict) for verdict in self.judge(cases)]

    def _verdict(self, verdict: Verdict) -> Verdict:
        if verdict.score is None:
            return replace(verdict, scale=(0.0, 1.0))
        evidence = f"{verdict.score:g}: {verdict.evidence}" if verdict.evidence else f"{verdict.score:g}"
        soft = verdict.score if verdict.soft is None else verdict.soft
        return replace(
            verdict, score=float(verdict.score >= self.least), evidence=evidence, scale=(0.0, 1.0), soft=soft
        )
