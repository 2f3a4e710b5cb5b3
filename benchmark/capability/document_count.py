"""The number of documents of lm-eval that are done, while its requests are answered."""

from collections.abc import Callable, Sequence
from typing import Any

Progress = Callable[[int, int], None]  # documents that are done, and all of them


class DocumentCount:
    """Counts the answered requests of some documents; one with several requests is done in parts."""

    def __init__(self, requests: Sequence[Any], progress: Progress) -> None:
        self._documents = len({(getattr(r, "task_name", None), getattr(r, "doc_id", None)) for r in requests})
        self._requests, self._answered, self._progress = len(requests), 0, progress

    def answered(self, n: int) -> None:
        """Count `n` more requests as answered, and report the documents that are done."""
        self._answered += n
        self._progress(self._documents * self._answered // self._requests, self._documents)


def not_counted(_: int) -> None:
    """Count nothing: a long text is read in windows, whose number nobody knows before."""
