"""Runs in the process of a test: a worker of its own imports torch for some seconds before it begins."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def in_process() -> Iterator[None]:
    """Run the jobs of `score`, `sweep`, `transfer` and `verify --rerun` in this process, one after the other."""
    from graftbench.benchmark.runs.executors.inline import Inline

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("graftbench.benchmark.runs.executors.choose.Local", lambda _, threads: Inline(threads))
        yield
