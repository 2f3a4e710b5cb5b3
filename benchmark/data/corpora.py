"""Published neutral texts by corpus name: for perplexity, and to fit a mapper for full replacement.

Arditi et al. (2024, appendix E) use texts of the Pile of up to 256 tokens, and conversations of Alpaca, of which only
the reply counts.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from graftbench.benchmark.data.rows import Document, PublishedTable, rows_of

MAX_TEXT_TOKENS = 256

ALPACA = PublishedTable("tatsu-lab/alpaca", ("instruction", "input", "output"))
PILE = PublishedTable("monology/pile-uncopyrighted", ("text",), streamed=True)
WIKITEXT = PublishedTable(
    "Salesforce/wikitext", ("text",), "test", "wikitext-2-raw-v1", patterns=("wikitext-2*/*test*.txt",)
)


@dataclass(frozen=True)
class Text:
    """A prompt, or None, and the text after it, whose tokens count."""

    prompt: str | None
    continuation: str


def paragraphs(table: PublishedTable) -> Iterator[str]:
    """Yield the paragraphs of WikiText, whose rows are lines, without headings and empty lines."""
    stripped = (row["text"].strip(" \ufeff\n") for row in rows_of(table))
    return (line for line in stripped if line and not line.startswith("="))


def instructions(table: PublishedTable) -> Iterator[Document]:
    """Yield the rows of Alpaca without input."""
    return (row for row in rows_of(table) if not row["input"].strip())


def _wikitext() -> Iterator[Text]:
    return (Text(None, paragraph) for paragraph in paragraphs(WIKITEXT))


def _alpaca() -> Iterator[Text]:
    """Return instructions without input, in the order to which Arditi et al. shuffle all rows."""
    import datasets

    rows = datasets.Dataset.from_list(list(rows_of(ALPACA))).shuffle(seed=42)
    return (Text(row["instruction"], f" {row['output']}") for row in rows if not row["input"].strip())


def _pile() -> Iterator[Text]:
    return (Text(None, row["text"]) for row in rows_of(PILE))


PUBLISHED_CORPORA: dict[str, Callable[[], Iterator[Text]]] = {"alpaca": _alpaca, "pile": _pile, "wikitext": _wikitext}
CORPUS_TABLES = {"alpaca": ALPACA, "pile": PILE, "wikitext": WIKITEXT}
