"""How like another text a text is."""

from sacrebleu.metrics.chrf import CHRF


def chrf(text: str, reference: str) -> float:
    """ChrF (Popović, 2015) of a text to a reference, from 0 to 1; two empty ones are alike."""
    if not text.strip() and not reference.strip():
        return 1.0
    return float(CHRF().sentence_score(text.strip(), [reference.strip()]).score) / 100
