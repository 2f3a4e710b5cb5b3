"""Judges that know something by its wordings: whether one of a list of phrases occurs, upper and lower case alike."""

from collections.abc import Sequence

from .protocol import Case, Verdict


def verdicts(phrases: Sequence[str], cases: Sequence[Case]) -> list[Verdict]:
    """Score 1 where one of the phrases occurs anywhere in a completion, 0 elsewhere."""
    return [_verdict(phrases, case.completion.lower()) for case in cases]


def _verdict(phrases: Sequence[str], completion: str) -> Verdict:
    found = next((phrase for phrase in phrases if phrase.lower() in completion), None)
    return Verdict(float(found is not None), found or "none of the phrases")
