"""How long a question is asked, and how long to wait before it is asked again."""

import time
from email.utils import parsedate_to_datetime
from random import random

import openai

from graftbench.judges.llm.client import NoAnswerInTimeError

# Errors that may pass.
PASSING = (
    NoAnswerInTimeError,
    openai.APIConnectionError,
    openai.ConflictError,
    openai.InternalServerError,
    openai.RateLimitError,
)
_REQUEST_TIMEOUT = 408  # an HTTP status that may pass, too
_FIRST, _LONGEST = 0.5, 8.0  # seconds; a pause is twice the one before
_LIMITED = (5, 10, 20, 30)  # seconds before a question is asked again that a rate limit refuses; the last repeats
_SHARE = 0.5  # of a question's time, for one try: a lost connection leaves time for another


class Deadline:
    """The time that a question has, over all of its tries and pauses."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._end = seconds, time.monotonic() + seconds

    def extend(self, seconds: float) -> None:
        """Give more time."""
        self._end += seconds

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return self._end - time.monotonic()

    @property
    def one_try(self) -> float:
        """Seconds that the next try may take."""
        return max(0.0, min(self.left, self._seconds * _SHARE))


def may_pass(error: Exception) -> bool:
    """Return True for an error that the same question may not meet again."""
    return isinstance(error, PASSING) or getattr(error, "status_code", None) == _REQUEST_TIMEOUT


def pause_after(error: Exception, tries: int, retries: int) -> float | None:
    """Return the seconds to wait after so many tries, the time that the server names first; None to give up.

    A rate limit alone is waited for beyond the retries.
    """
    limited = isinstance(error, openai.RateLimitError)
    if not limited and (tries > retries or _header(error, "x-should-retry") == "false"):
        return None
    if (named := _named_by_server(error)) is not None:
        return named
    if tries > retries:
        return _LIMITED[min(tries - retries, len(_LIMITED)) - 1]
    return min(_FIRST * 2.0 ** (tries - 1), _LONGEST) * (1 - 0.25 * random())  # so that not all threads ask at once


def _named_by_server(error: Exception) -> float | None:
    """Return the seconds in the header Retry-After: a number, or a date (RFC 9110, section 10.2.3)."""
    text = _header(error, "retry-after")
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - time.time()
        except (ValueError, OverflowError):
            return None
    return seconds if seconds > 0 else None


def _header(error: Exception, name: str) -> str:
    return str(error.response.headers.get(name, "")) if isinstance(error, openai.APIStatusError) else ""
