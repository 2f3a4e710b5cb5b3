"""Conversations and texts for the track `general`, the same for every behaviour.

- `alpaca`: `tatsu-lab/alpaca`, CC-BY-NC-4.0; columns `instruction`, `input` and `output`. Rows without input.
- `pile`: `monology/pile-uncopyrighted`; its page says that the licence is another one. Column `text`. Its files are
  compressed with Zstandard, for which `datasets` needs the package zstandard.
- `wikitext`: `Salesforce/wikitext`, WikiText-2, CC-BY-SA-3.0 and GFDL; column `text`, one line of an article a row.
- `mediqa`: `withmartian/mediqa_cleaned_questions` (Oozeer et al., 2025, appendix J), MIT. Its columns were not seen:
  the settings name them.

No revision of MediQA is pinned, for none was seen. Perplexity is measured on the first texts of the Pile's split
`train` and on WikiText's `test`, so these two are read from other splits here.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Literal

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.corpora import ALPACA, PILE, WIKITEXT, instructions, paragraphs
from graftbench.benchmark.data.examples import Split
from graftbench.benchmark.data.line_dataset import LineDataset
from graftbench.benchmark.data.lines import ConversationLine, Placed
from graftbench.benchmark.data.rows import PublishedTable, rows_of
from graftbench.tasks.datasets.published import Seen, about

SHARES: Mapping[Split, int] = {"fit": 80, "test": 20}
MAX_TEXTS = 25_000  # of the Pile
MAX_CHARACTERS = 2000  # of a text; nobody needs the whole of a book

Said = tuple[str | None, str]  # a prompt, or None, and what follows it


def alpaca(revision: str = "dce01c9b08f87459cf36a430d809084718273017") -> LineDataset:
    """Return Alpaca's instructions with their replies."""
    table = replace(ALPACA, revision=revision)
    return _general("alpaca", "Instructions with replies", "CC-BY-NC-4.0", table, _instructions)


def pile(revision: str = "3be90335b66f24456a5d6659d9c8d208c0357119") -> LineDataset:
    """Return texts of the Pile, the first of its split `validation`."""
    table = replace(PILE, split="validation", revision=revision)
    return _general("pile", "Texts of many kinds", "other", table, _texts)


def wikitext(
    split: Literal["train", "validation"] = "train", revision: str = "b08601e04326c79dfdd32d625aee71d232d685c3"
) -> LineDataset:
    """Return paragraphs of Wikipedia."""
    files = f"wikitext-2*/*{split.removesuffix('ation')}*.txt"  # valid.txt, as first published
    table = replace(WIKITEXT, split=split, revision=revision, patterns=(files,))
    return _general("wikitext", "Paragraphs of Wikipedia", "CC-BY-SA-3.0, GFDL", table, _paragraphs)


def mediqa(question: str = "", answer: str = "", revision: str | None = None) -> LineDataset:
    """Return medical questions with answers, from the columns that are named so."""
    table = PublishedTable("withmartian/mediqa_cleaned_questions", (question, answer), revision=revision)

    def answered(table: PublishedTable) -> Iterator[Said]:
        if not (question and answer):
            raise UserError(_unnamed(table))
        return ((row[question], row[answer]) for row in rows_of(table))

    dataset = _general("mediqa", "Medical questions with answers", "MIT", table, answered)
    return dataset if question and answer else replace(dataset, not_here=lambda: _unnamed(table))


def _unnamed(table: PublishedTable) -> str:
    return f"Name the columns of {table.name} by the settings `question` and `answer`."


def _instructions(table: PublishedTable) -> Iterator[Said]:
    return ((row["instruction"], row["output"]) for row in instructions(table))


def _texts(table: PublishedTable) -> Iterator[Said]:
    return ((None, row["text"]) for row in islice(rows_of(table), MAX_TEXTS))


def _paragraphs(table: PublishedTable) -> Iterator[Said]:
    return ((None, paragraph) for paragraph in paragraphs(table))


def _general(
    name: str, title: str, licence: str, table: PublishedTable, said: Callable[[PublishedTable], Iterable[Said]]
) -> LineDataset:
    return LineDataset(
        name,
        1,
        about(title, table, licence),
        {},
        read=lambda: _lines(table, said(table)),
        shares=SHARES,
        tables=lambda: (table,),
    )


def _lines(table: PublishedTable, everything: Iterable[Said]) -> Iterator[Placed]:
    """Yield each prompt, or text without one, once."""
    seen = Seen()
    for i, (prompt, text) in enumerate(everything, start=1):
        reply = text.strip()[:MAX_CHARACTERS]
        if reply and seen.is_new(reply if prompt is None else prompt):
            yield Placed(f"{table.name} text {i}", ConversationLine(prompt=prompt, reply=reply, general=True))
