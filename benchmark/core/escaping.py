"""Escape control characters in untrusted text before it reaches a terminal."""

import unicodedata

MAX_REASON = 1000  # characters of a reason


def escape_control(text: str, keep: str = "") -> str:
    """Escape line ends, control characters and other characters that are not printed, except those in `keep`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c in keep or _is_printed(c) else c.encode("unicode_escape").decode() for c in text)


def in_one_line(reason: str) -> str:
    """Escape a reason, such as an error's message, and cut it to `MAX_REASON` characters, as entries hold it."""
    line = escape_control(reason)
    return line if len(line) <= MAX_REASON else f"{line[: MAX_REASON - 3]}..."


def _is_printed(c: str) -> bool:
    kind = unicodedata.category(c)
    return not kind.startswith("C") and kind not in ("Zl", "Zp")
