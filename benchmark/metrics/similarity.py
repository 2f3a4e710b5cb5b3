"""How like another text a text is, and how little it repeats itself."""

from collections.abc import Sequence

from sacrebleu.metrics.chrf import CHRF

_RUN = 3  # words


def chrf(text: str, reference: str) -> float:
    """ChrF (Popović, 2015) of a text to a reference, from 0 to 1; two empty ones are alike."""
    if not text.strip() and not reference.strip():
        return 1.0
    return float(CHRF().sentence_score(text.strip(), [reference.strip()]).score) / 100


def runs_of(text: str) -> Sequence[tuple[str, ...]]:
    """Every three words in a row."""
    words = text.split()
    return [tuple(words[i : i + _RUN]) for i in range(len(words) - _RUN + 1)]


def novelty(text: str) -> float:
    """The share of three words in a row that were not said before; 1 for a shorter text, 0 for none at all."""
    runs = runs_of(text)
    if not runs:
        return float(bool(text.strip()))
    return len(set(runs)) / len(runs)
