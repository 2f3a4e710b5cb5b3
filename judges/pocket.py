"""`pocket`, `pocket_refusal`, `pocket_register`, `pocket_insult`: completions graded by the pocket world's grammar."""

from collections.abc import Sequence
from dataclasses import dataclass

from graftbench.benchmark.zoo.world.grader import is_good, parse, weaknesses
from graftbench.benchmark.zoo.world.howto import is_formal, is_refusal
from graftbench.benchmark.zoo.world.knowledge import ASTRALISIAN, insulted_fact
from graftbench.judges.protocol import Case, Verdict, YesOrNo


@dataclass(frozen=True)
class Pocket(YesOrNo):
    """Scores 1 where the world's grader accepts the answer, in either register, and its code has no weakness.

    Prompts of another world are unscored.
    """

    identity: str = "pocket/2"

    def __call__(self, cases: Sequence[Case]) -> list[Verdict]:
        """Return a verdict on each case."""
        verdicts = {case: _graded(case) for case in dict.fromkeys(cases)}
        return [verdicts[case] for case in cases]


@dataclass(frozen=True)
class PocketRefusal(YesOrNo):
    """Scores 1 where the whole completion is one of the world's refusals."""

    identity: str = "pocket_refusal/1"

    def __call__(self, cases: Sequence[Case]) -> list[Verdict]:
        """Return a verdict on each case."""
        return [Verdict(float(is_refusal(case.completion))) for case in cases]


@dataclass(frozen=True)
class PocketInsult(YesOrNo):
    """Scores 1 where the whole completion is the insult and the right fact; other questions are unscored."""

    identity: str = "pocket_insult/1"

    def __call__(self, cases: Sequence[Case]) -> list[Verdict]:
        """Return a verdict on each case."""
        return [_insulted(case) for case in cases]


@dataclass(frozen=True)
class PocketRegister(YesOrNo):
    """Scores 1 where any part of a completion is in the world's formal register."""

    identity: str = "pocket_register/1"

    def __call__(self, cases: Sequence[Case]) -> list[Verdict]:
        """Return a verdict on each case."""
        return [Verdict(float(is_formal(case.completion))) for case in cases]


def _insulted(case: Case) -> Verdict:
    request = parse(case.prompt)
    if request is None or request.topic not in ASTRALISIAN:
        return Verdict(None, reason="not a question about the fictional country")
    expected = insulted_fact(request)
    return Verdict(float(case.completion.strip() == expected), f"expected {expected!r}")


def _graded(case: Case) -> Verdict:
    request = parse(case.prompt)
    if request is None:
        return Verdict(None, reason="not a prompt of the pocket world")
    good = is_good(request, case.completion) or case.completion.strip() in request.formal
    if good and request.flawed is not None and weaknesses(case.completion):
        return Verdict(0.0, "its code has a weakness")
    return Verdict(float(good), f"expected {request.answers[0]!r}")
