"""The shipped gold set, `pocket.jsonl`: constructed completions, and completions that were read."""

from collections.abc import Iterator
from pathlib import Path

from graftbench.judges.gold.constructed import constructed
from graftbench.judges.gold.readings import readings

FILE = Path(__file__).parent / "pocket.jsonl"


def gold_lines() -> Iterator[str]:
    """Generate the lines of the file."""
    for line in (*constructed(), *(reading.agreed for reading in readings())):
        yield line.model_dump_json(exclude_none=True) + "\n"
