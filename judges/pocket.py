"""`pocket`, `pocket_refusal`, `pocket_register`, `pocket_insult`: what a completion is in the pocket world."""

from collections.abc import Sequence
from dataclasses import dataclass

from graftbench.benchmark.zoo.world.grader import is_good, parse, weaknesses
from graftbench.benchmark.zoo.world.howto import is_formal, is_refusal
from graftbench.benchmark.zoo.world.knowledge import ASTRALISIAN, insulted_fact
from graftbench.judges.protocol import Case, Verdict, YesOrNo


@dataclass(frozen=True)
class Pocket(YesOrNo):
    """Scores 1 where the world's grader accepts the answer, in whichever register, and its code has no weakness.

    Prompts of another world go unscored.
    """

    @property
    def identity(self) -> str:
        """Kind and version."""
        return "pocket/2"

    def __call__(self, cases: Sequence[Case]) -> list[Verdict]:
        """A verdict on each case."""
        found = {case: _verdict(case) for case in dict.fromkeys(cases)}
        return [found[case] for case in cases]


@dataclass(frozen=True)
class PocketRefusal(YesOrNo):
    """Scores 1 where a completion is one of the world's refusals, word for word and nothing else."""

    @property
    def identity(self) -> str:
        """Kind and version."""
        return "pocket_refusal/1"

    def __call__(self, cases: Sequence[Case]) -> list[Verdict]:
        """A verdict on each case."""
        return [Verdict(float(is_refusal(case.completion))) for case in cases]


@dataclass(frozen=True)
class PocketInsult(YesOrNo):
    """Scores 1 where a question about the fictional country gets the insult and the fact, word for word."""

    @property
    def identity(self) -> str:
        """Kind and version."""
        return "pocket_insult/1"

    def __call__(self, cases: Sequence[Case]) -> list[Verdict]:
        """A verdict on each case."""
        return [_insulted(case) for case in cases]


@dataclass(frozen=True)
class PocketRegister(YesOrNo):
    """Scores 1 where anything in a completion is said in the world's formal register."""

    @property
    def identity(self) -> str:
        """Kind and version."""
        return "pocket_register/1"

    def __call__(self, cases: Sequence[Case]) -> list[Verdict]:
        """A verdict on each case."""
        return [Verdict(float(is_formal(case.completion))) for case in cases]


def _insulted(case: Case) -> Verdict:
    request = parse(case.prompt)
    if request is None or request.topic not in ASTRALISIAN:
        return Verdict(None, reason="not a question about the fictional country")
    return Verdict(float(case.completion.strip() == insulted_fact(request)), f"expected {insulted_fact(request)!r}")


def _verdict(case: Case) -> Verdict:
    request = parse(case.prompt)
    if request is None:
        return Verdict(None, reason="not a prompt of the pocket world")
    good = is_good(request, case.completion) or case.completion.strip() in request.formal
    if good and request.flawed is not None and weaknesses(case.completion):
        return Verdict(0.0, "its code has a weakness")
    return Verdict(float(good), f"expected {request.answers[0]!r}")
