"""Texts of anybody's in a terminal: what it would act on, rather than show, is written out."""

import unicodedata

LONGEST = 1000  # characters of a reason


def visible(text: str, keep: str = "") -> str:
    """A text with line ends, control characters and everything else that is not seen written out, `keep` aside."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c in keep or _is_seen(c) else c.encode("unicode_escape").decode() for c in text)


def in_one_line(reason: str) -> str:
    """A reason, such as the message of an error, as entries hold it: seen as it is, and not too long."""
    told = visible(reason)
    return told if len(told) <= LONGEST else f"{told[: LONGEST - 3]}..."


def _is_seen(c: str) -> bool:
    kind = unicodedata.category(c)
    return not kind.startswith("C") and kind not in ("Zl", "Zp")
