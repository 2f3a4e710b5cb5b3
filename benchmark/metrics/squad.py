"""How SQuAD's evaluation compares an answer with those that are right (Rajpurkar et al., 2016, section 6.1)."""

import re
import string
from collections import Counter
from collections.abc import Sequence
from typing import Any

_ARTICLES = re.compile(r"\b(a|an|the)\b")


def bare(text: str) -> str:
    """Lower case, without punctuation and articles, with single spaces."""
    kept = "".join(mark for mark in text.lower() if mark not in string.punctuation)
    return " ".join(_ARTICLES.sub(" ", kept).split())


def exact_match(said: str, right: Sequence[str]) -> float:
    """1 where the answer is one of those that are right, but for what `bare` takes away."""
    return float(any(bare(said) == bare(one) for one in right))


def f1(said: str, right: Sequence[str]) -> float:
    """The harmonic mean of precision and recall over words, for the best of the right answers."""
    return max((_f1(bare(said).split(), bare(one).split()) for one in right), default=0.0)


def _f1(said: Sequence[str], right: Sequence[str]) -> float:
    if not said or not right:
        return float(list(said) == list(right))
    common = (Counter(said) & Counter(right)).total()
    if not common:
        return 0.0
    precision, recall = common / len(said), common / len(right)
    return 2 * precision * recall / (precision + recall)


def graded(doc: dict[str, Any], results: list[str]) -> dict[str, float]:
    """F1 and exact match of an answer."""
    said = results[0].strip()
    return {"f1": f1(said, doc["answers"]), "exact_match": exact_match(said, doc["answers"])}
