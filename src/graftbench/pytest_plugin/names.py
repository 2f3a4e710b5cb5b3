"""The marker of the tests of cells, the first part of their ids, and what is asked for on the command line."""

from dataclasses import dataclass

MARKER = "benchmark"
ROOT = "graftbench"


@dataclass(frozen=True)
class Asked:
    """What is scored: mappers on a suite, or on its cells of these tasks, variants and fit tracks alone."""

    mappers: tuple[str, ...] = ()
    suite: str = "pocket"
    tasks: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    tracks: tuple[str, ...] = ()
