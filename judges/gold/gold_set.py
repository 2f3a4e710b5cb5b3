"""The shipped gold sets, `pocket.jsonl` and `smollm2.jsonl`: completions that were constructed, or read."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from graftbench.judges.gold.constructed import constructed
from graftbench.judges.gold.labels import LabelledCompletion
from graftbench.judges.gold.readings import readings

# The constructed completions of each set, by its name.
SETS: Mapping[str, Callable[[], Sequence[LabelledCompletion]]] = {"pocket": constructed, "smollm2": list}


def gold_lines(name: str) -> Iterator[str]:
    """Generate the lines of the file of a set."""
    for line in (*SETS[name](), *(reading.agreed for reading in readings(name))):
        yield line.model_dump_json(exclude_none=True) + "\n"
