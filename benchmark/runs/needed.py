"""One thing that a suite needs, and what is known of it."""

from dataclasses import dataclass

FETCHED = "on the Hub, unless it was fetched"
GATED = "gated: accept its conditions on its page, and run `hf auth login`"
NO_HUB = "the Hub cannot be reached from here"
SHIPS = "ships with graftbench"


@dataclass(frozen=True)
class Needed:
    """A model, a dataset, texts or a task of a suite, with its size in bytes where that is known.

    `here` is None where it is not known.
    """

    kind: str
    name: str
    here: bool | None
    size: int | None = None
    note: str = ""
