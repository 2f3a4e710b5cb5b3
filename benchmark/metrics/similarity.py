"""Similarity of two texts, and repetition within one."""

from collections.abc import Sequence

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
    runs = trigrams(text)
    if not runs:
        return float(bool(text.strip()))
    return len(set(runs)) / len(runs)


def character_novelty(text: str, n: int, window: int) -> float:
    """Return the share of runs of `n` characters that did not begin at any of the `window` places before.

    It is 1 for a shorter text, 0 for an empty one. White space of any length counts as one space.
    """
    characters = " ".join(text.split())
    last: dict[str, int] = {}
    places = range(len(characters) - n + 1)
    n_new = 0
    for place in places:
        run = characters[place : place + n]
        n_new += place - last.get(run, -window - 1) > window
        last[run] = place
    return n_new / len(places) if places else float(bool(characters))
