"""Similarity of two texts, and repetition within one."""

from collections.abc import Hashable, Sequence

from sacrebleu.metrics.chrf import CHRF


def chrf(text: str, reference: str) -> float:
    """Return the chrF (Popović, 2015) of a text to a reference, from 0 to 1; 1 where both are empty."""
    if not text.strip() and not reference.strip():
        return 1.0
    return float(CHRF().sentence_score(text.strip(), [reference.strip()]).score) / 100


def trigrams(text: str) -> Sequence[tuple[str, ...]]:
    """List every three words in a row."""
    words = text.split()
    return [tuple(words[i : i + 3]) for i in range(len(words) - 2)]


def novelty(text: str) -> float:
    """Return the share of distinct word trigrams; 1 for a text of fewer than three words, 0 for an empty one."""
    return _share_of_distinct(trigrams(text), text)


def character_novelty(text: str, n: int) -> float:
    """Return the share of distinct runs of `n` characters; 1 for a shorter text, 0 for an empty one.

    White space of any length counts as one space.
    """
    characters = " ".join(text.split())
    return _share_of_distinct([characters[i : i + n] for i in range(len(characters) - n + 1)], text)


def _share_of_distinct(runs: Sequence[Hashable], text: str) -> float:
    return len(set(runs)) / len(runs) if runs else float(bool(text.strip()))
