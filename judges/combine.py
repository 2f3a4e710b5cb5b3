"""Judges made of other judges: a panel that votes, and a threshold that turns a score into yes or no."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from graftbench.benchmark.core.errors import UserError
from graftbench.judges.protocol import NO_USAGE, Case, Judge, Verdict, YesOrNo


@dataclass(frozen=True)
class Panel:
    """Judges on one scale that decide by majority or by their mean.

    A majority is more than half of all members, so that an unscored case cannot change a verdict. The mean needs a
    score from every member. The evidence lists the members' scores.
    """

    members: tuple[Judge, ...]
    rule: Literal["majority", "mean"] = "majority"

    def __post_init__(self) -> None:
        if len(self.members) < 2:
            raise ValueError("a panel has at least two members")
        scales = [member.scale for member in self.members]
        if len(set(scales)) > 1:
            named = ", ".join(f"{low:g} to {high:g}" for low, high in scales)
            raise UserError(f"The members of a panel judge on different scales ({named}): name others in the suite.")

    @property
    def scale(self) -> tuple[float, float]:
        """Scale of the members."""
        return self.members[0].scale

    @property
    def binary(self) -> bool:
        """True where the members say yes or no, and the majority decides."""
        return self.rule == "majority" and all(member.binary for member in self.members)

    @property
    def needs_perplexity(self) -> bool:
        """True where a member needs it."""
        return any(member.needs_perplexity for member in self.members)

    @property
    def identity(self) -> str:
        """The rule and every member."""
        return f"panel/1 {self.rule} of [{'] ['.join(member.identity for member in self.members)}]"

    def __call__(self, cases: Sequence[Case]) -> list[Verdict]:
        """Return the panel's verdict on each case."""
        return [self._combine(each) for each in zip(*(member(cases) for member in self.members), strict=True)]

    def _combine(self, verdicts: tuple[Verdict, ...]) -> Verdict:
        score = _mean(verdicts) if self.rule == "mean" else _majority(verdicts)
        said = "; ".join("unscored" if verdict.score is None else f"{verdict.score:g}" for verdict in verdicts)
        reason = _disunity(verdicts) if score is None else ""
        usage = sum((verdict.usage for verdict in verdicts), NO_USAGE)
        return Verdict(score, said, reason, self.scale, usage=usage)


def _mean(verdicts: tuple[Verdict, ...]) -> float | None:
    """Return the mean score, or None where a member gave none."""
    scores = [verdict.score for verdict in verdicts if verdict.score is not None]
    return sum(scores) / len(scores) if len(scores) == len(verdicts) else None


def _majority(verdicts: tuple[Verdict, ...]) -> float | None:
    """Return the score that more than half of all members gave, or None."""
    counts = Counter(verdict.score for verdict in verdicts if verdict.score is not None).most_common(1)
    return counts[0][0] if counts and 2 * counts[0][1] > len(verdicts) else None


def _disunity(verdicts: tuple[Verdict, ...]) -> str:
    reasons = [verdict.reason for verdict in verdicts if verdict.score is None]
    if not reasons:
        return "the panel: it is split"
    return f"the panel: of {len(verdicts)} members {len(reasons)} left it unscored: {reasons[0]}"


@dataclass(frozen=True)
class AtLeast:
    """Judge that scores 1 where another judge scores at least `least`, 0 below; unscored cases stay unscored."""

    scale: ClassVar[tuple[float, float]] = YesOrNo.scale
    binary: ClassVar[bool] = YesOrNo.binary
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
    def needs_perplexity(self) -> bool:
        """True where the judge needs it."""
        return self.judge.needs_perplexity

    @property
    def identity(self) -> str:
        """The judge and the least score."""
        return f"{self.judge.identity} at least {self.least:g}"

    def __call__(self, cases: Sequence[Case]) -> list[Verdict]:
        """Return a verdict on each case, with the judge's score as evidence."""
        return [self._threshold(verdict) for verdict in self.judge(cases)]

    def _threshold(self, verdict: Verdict) -> Verdict:
        if verdict.score is None:
            return replace(verdict, scale=self.scale)
        return replace(
            verdict,
            score=float(verdict.score >= self.least),
            evidence=f"{verdict.score:g}: {verdict.evidence}" if verdict.evidence else f"{verdict.score:g}",
            scale=self.scale,
            expected=verdict.score if verdict.expected is None else verdict.expected,
        )
