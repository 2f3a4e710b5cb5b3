"""Warnings as Python treats them where nobody says otherwise, in the midst of tests that may take them for errors."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_IGNORED = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)


@contextmanager
def usual_warnings() -> Iterator[None]:
    """Treat warnings as an ordinary process does."""
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        for category in _IGNORED:
            warnings.simplefilter("ignore", category)
        yield
