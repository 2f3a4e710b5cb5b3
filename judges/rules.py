"""`exact`, `normalised`, `starts_like`, `contains_fact`: a completion compared with its reference, by rule."""

import re
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from graftbench.judges.protocol import Case, Verdict, YesOrNo

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_WORDS = 3  # of the reference that a reply has to begin with


def normalised(text: str) -> str:
    """Lower case, no punctuation, no articles, single spaces (as SQuAD's evaluation has it; Rajpurkar et al., 2016)."""
    bare = "".join(" " if mark in string.punctuation else mark for mark in text.lower())
    return " ".join(_ARTICLES.sub(" ", bare).split())


@dataclass(frozen=True)
class Exact(YesOrNo):
    """Scores 1 where the completion is the reference, white space around both aside."""

    identity: str = "exact/1"

    def __call__(self, cases: Sequence[Case]) -> list[Verdict]:
        """A verdict on each case."""
        return _compared(cases, lambda said, wanted: said.strip() == wanted.strip())


@dataclass(frozen=True)
class Normalised(YesOrNo):
    """Scores 1 where both are the same but for case, punctuation, articles and spaces."""

    identity: str = "normalised/1"

    def __call__(self, cases: Sequence[Case]) -> list[Verdict]:
        """A verdict on each case."""
        return _compared(cases, lambda said, wanted: normalised(said) == normalised(wanted))


@dataclass(frozen=True)
class StartsLike(YesOrNo):
    """Scores 1 where the completion begins with the first three words of the reference, normalised."""

    identity: str = "starts_like/1"

    def __call__(self, cases: Sequence[Case]) -> list[Verdict]:
        """A verdict on each case."""
        return _compared(cases, _starts_like)


@dataclass(frozen=True)
class ContainsFact(YesOrNo):
    """Scores 1 where the words of the reference, normalised, stand in the completion one after the other."""

    identity: str = "contains_fact/1"

    def __call__(self, cases: Sequence[Case]) -> list[Verdict]:
        """A verdict on each case."""
        return _compared(cases, _contains)


def _starts_like(said: str, wanted: str) -> bool:
    first = normalised(wanted).split()[:_WORDS]
    return normalised(said).split()[: len(first)] == first


def _contains(said: str, wanted: str) -> bool:
    return f" {normalised(wanted)} " in f" {normalised(said)} "


def _compared(cases: Sequence[Case], alike: Callable[[str, str], bool]) -> list[Verdict]:
    return [_verdict(case, alike) for case in cases]


def _verdict(case: Case, alike: Callable[[str, str], bool]) -> Verdict:
    if case.reference is None or not case.reference.strip():
        return Verdict(None, reason="there is no reference to compare with")
    return Verdict(float(alike(case.completion, case.reference)), f"expected {case.reference!r}")
