"""SQuAD's evaluation of an answer against the reference answers (Rajpurkar et al., 2016, section 6.1)."""

import re
import string
from collections import Counter
from collections.abc import Sequence
from typing import Any

_ARTICLES = re.compile(r"\b(a|an|the)\b")


def normalise_answer(text: str) -> str:
    """Lower the case, remove punctuation and articles, and leave single spaces."""
    letters = "".join(mark for mark in text.lower() if mark not in string.punctuation)
    return " ".join(_ARTICLES.sub(" ", letters).split())


def exact_match(answer: str, references: Sequence[str]) -> float:
    """Return 1 where the normalised answer is one of the references, else 0."""
    return float(any(normalise_answer(answer) == normalise_answer(one) for one in references))


def f1(answer: str, references: Sequence[str]) -> float:
    """Return the harmonic mean of precision and recall over words, for the closest of the references."""
    words = normalise_answer(answer).split()
    return max((_f1(words, normalise_answer(one).split()) for one in references), default=0.0)


def _f1(answer: Sequence[str], reference: Sequence[str]) -> float:
    if not answer or not reference:
        return float(list(answer) == list(reference))
    common = (Counter(answer) & Counter(reference)).total()
    if not common:
        return 0.0
    precision, recall = common / len(answer), common / len(reference)
    return 2 * precision * recall / (precision + recall)


def graded(doc: dict[str, Any], results: list[str]) -> dict[str, float]:
    """Return F1 and exact match of the first of `results`, as lm-eval's `process_results` wants them."""
    answer = results[0].strip()
    return {"f1": f1(answer, doc["answers"]), "exact_match": exact_match(answer, doc["answers"])}
