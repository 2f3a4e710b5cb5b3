"""The gold set that ships: what was constructed and what was read."""

from collections.abc import Iterator
from pathlib import Path

from graftbench.judges.gold.constructed import constructed
from graftbench.judges.gold.readings import readings

FILE = Path(__file__).parent / "pocket.jsonl"


def lines() -> Iterator[str]:
    """The lines of `pocket.jsonl`."""
    for one in (*constructed(), *(reading.agreed for reading in readings())):
        yield one.model_dump_json() + "\n"
