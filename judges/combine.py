"""Several judges at once: what most of them say, or the mean of what they say."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from graftbench.benchmark.core.errors import UserError
from graftbench.judges.protocol import NOTHING, Case, Judge, Verdict, YesOrNo


@dataclass(frozen=True)
class Panel:
    """Judges on one scale, who decide by majority or by their mean.

    A case is scored where more than half of all members say the same, or where every member scores it, so that whoever
    says nothing changes no verdict.
    The evidence holds every member's verdict; `disagreement` says how far apart the members were.
    """

    members: tuple[Judge, ...]
    rule: Literal["majority", "mean"] = "majority"

    def __post_init__(self) -> None:
        if len(self.members) < 2:
            raise ValueError("a panel has at least two members")
        scales = [member.scale for member in self.members]
        if len(set(scales)) > 1:
            told = ", ".join(f"{low:g} to {high:g}" for low, high in scales)
            raise UserError(f"The members of a panel judge on different scales ({told}): name others in the suite.")

    @property
    def scale(self) -> tuple[float, float]:
        """The members'."""
        return self.members[0].scale

    @property
    def binary(self) -> bool:
        """Whether the members say yes or no, and most of them decide."""
        return self.rule == "majority" and all(member.binary for member in self.members)

    @property
    def identity(self) -> str:
        """The rule and every member."""
        return f"panel/1 {self.rule} of [{'] ['.join(member.identity for member in self.members)}]"

    def __call__(self, cases: Sequence[Case]) -> list[Verdict]:
        """A verdict on each case."""
        return [self._together(verdicts) for verdicts in self.each(cases)]

    def each(self, cases: Sequence[Case]) -> list[tuple[Verdict, ...]]:
        """For each case the verdict of every member."""
        return list(zip(*(member(cases) for member in self.members), strict=True))

    def _together(self, verdicts: tuple[Verdict, ...]) -> Verdict:
        return replace(self._agreed(verdicts), took=sum((verdict.took for verdict in verdicts), NOTHING))

    def _agreed(self, verdicts: tuple[Verdict, ...]) -> Verdict:
        scale = self.scale
        said = "; ".join("unscored" if v.score is None else f"{v.score:g}" for v in verdicts)
        scores = [verdict.score for verdict in verdicts if verdict.score is not None]
        silent = [verdict.reason for verdict in verdicts if verdict.score is None]
        if self.rule == "mean" and not silent:
            return Verdict(sum(scores) / len(scores), said, "", scale)
        votes = Counter(scores).most_common(1) if self.rule == "majority" else []
        if votes and 2 * votes[0][1] > len(verdicts):
            return Verdict(votes[0][0], said, "", scale)
        why = f"of {len(verdicts)} members {len(silent)} left it unscored: {silent[0]}" if silent else "it is split"
        return Verdict(None, said, f"the panel: {why}", scale)


def disagreement(verdicts: Sequence[tuple[Verdict, ...]]) -> float | None:
    """The mean distance between two members' scores, as a share of the scale; None where no two scored a case."""
    apart = [
        abs(a.score - b.score) / (a.scale[1] - a.scale[0])
        for each in verdicts
        for i, a in enumerate(each)
        for b in each[i + 1 :]
        if a.score is not None and b.score is not None
    ]
    return sum(apart) / len(apart) if apart else None


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
