"""When a server is given up that leaves one question after the other unanswered."""

import logging
import sys
import threading
import time

from graftbench.benchmark.core.errors import UserError

_log = logging.getLogger("graftbench.judges")
_SILENT = 60.0  # seconds between two words about waiting
_MOST_FAILURES = 16  # questions in a row, each of which was retried


class Patience:
    """Counts unanswered questions in a row over all threads, so that a server that is down is given up."""

    def __init__(self) -> None:
        self._lock, self._failures, self._reason, self._said = threading.Lock(), 0, "", -_SILENT

    def answered(self) -> None:
        """Start counting again."""
        with self._lock:
            self._failures = 0

    def waits(self, server: str, most: float) -> None:
        """Say on stderr, and in the log, that a rate limit is waited for; once in a while."""
        with self._lock:
            silent, now = self._said, time.monotonic()
            if now - silent < _SILENT:
                return
            self._said = now
        say(f"{server} limits how often it is asked; each question waits for it up to {most:g} s.")

    def failed(self, server: str, reason: str, at_once: int) -> None:
        """Count a question without an answer; UserError after too many in a row, of `at_once` that are in flight."""
        with self._lock:
            self._failures, self._reason = self._failures + 1, reason
        self.check(server, at_once)

    def check(self, server: str, at_once: int) -> None:
        """UserError, in every thread that would ask, after too many questions in a row without an answer.

        Questions that are in flight together may well hang together, which is no sign that the server is down.
        """
        with self._lock:
            if self._failures >= max(_MOST_FAILURES, 2 * at_once):
                raise UserError(
                    f"The last {self._failures} questions to {server} went unanswered, this one for: {self._reason}. "
                    "See whether the server is up. Verdicts so far are cached: the same command continues from here."
                )


def say(sentence: str) -> None:
    """Write a sentence to stderr, and into the log."""
    _log.warning(sentence)
    sys.stderr.write(f"graftbench: {sentence}\n")
