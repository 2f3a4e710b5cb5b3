"""`exact`, `normalised`, `starts_like`, `contains_fact`: a completion compared with its reference by rule."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from graftbench.benchmark.metrics.squad import normalise_answer
from graftbench.judges.protocol import NO_REFERENCE, Case, Verdict, YesOrNo

_FIRST_WORDS = 3  # of the reference, for `starts_like`


@dataclass(frozen=True)
class Exact(YesOrNo):
    """Scores 1 where the completion is the reference, up to surrounding white space."""

    identity: str = "exact/1"

    def __call__(self, cases: Sequence[Case]) -> list[Verdict]:
        """Return a verdict on each case."""
        return _compare(cases, lambda completion, reference: completion.strip() == reference.strip())


@dataclass(frozen=True)
class Normalised(YesOrNo):
    """Scores 1 where completion and reference are equal once normalised as in SQuAD (Rajpurkar et al., 2016)."""

    identity: str = "normalised/2"

    def __call__(self, cases: Sequence[Case]) -> list[Verdict]:
        """Return a verdict on each case."""
        return _compare(cases, _equal_once_normalised)


@dataclass(frozen=True)
class StartsLike(YesOrNo):
    """Scores 1 where the completion begins with the first three words of the reference, both normalised."""

    identity: str = "starts_like/2"

    def __call__(self, cases: Sequence[Case]) -> list[Verdict]:
        """Return a verdict on each case."""
        return _compare(cases, _starts_like)


@dataclass(frozen=True)
class ContainsFact(YesOrNo):
    """Scores 1 where the words of the reference follow each other in the completion, both normalised."""

    identity: str = "contains_fact/2"

    def __call__(self, cases: Sequence[Case]) -> list[Verdict]:
        """Return a verdict on each case."""
        return _compare(cases, _contains)


def _equal_once_normalised(completion: str, reference: str) -> bool:
    return normalise_answer(completion) == normalise_answer(reference)


def _starts_like(completion: str, reference: str) -> bool:
    first = normalise_answer(reference).split()[:_FIRST_WORDS]
    return normalise_answer(completion).split()[: len(first)] == first


def _contains(completion: str, reference: str) -> bool:
    return f" {normalise_answer(reference)} " in f" {normalise_answer(completion)} "


def _compare(cases: Sequence[Case], equal: Callable[[str, str], bool]) -> list[Verdict]:
    return [_verdict(case, equal) for case in cases]


def _verdict(case: Case, equal: Callable[[str, str], bool]) -> Verdict:
    if case.reference is None or not case.reference.strip():
        return Verdict(None, reason=NO_REFERENCE)
    return Verdict(float(equal(case.completion, case.reference)), f"expected {case.reference!r}")
