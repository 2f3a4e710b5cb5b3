"""Published neutral texts by corpus name: for perplexity, and to fit a mapper for full replacement.

Arditi et al. (2024, appendix E) use texts of the Pile of up to 256 tokens, and conversations of Alpaca, of which only
the reply counts.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from graftbench.benchmark.data.rows import hub_rows, mirror, not_in_mirror

MAX_TEXT_TOKENS = 256


@dataclass(frozen=True)
class Text:
    """A prompt, or None, and the text after it, whose tokens count."""

    prompt: str | None
    continuation: str


def _wikitext() -> Iterator[Text]:
    folder = mirror()
    if folder is None:
        return _paragraphs(str(row["text"]) for row in hub_rows("Salesforce/wikitext", "wikitext-2-raw-v1", "test"))
    for path in sorted(folder.rglob("wikitext-2*/*test*.txt")):
        return _paragraphs(path.open(encoding="utf-8"))
    raise not_in_mirror(folder, "WikiText-2", "wikitext-2/test.txt")


def _paragraphs(lines: Iterable[str]) -> Iterator[Text]:
    """Return the paragraphs among lines, without headings and empty lines."""
    stripped = (line.strip(" \ufeff\n") for line in lines)
    return (Text(None, line) for line in stripped if line and not line.startswith("="))


def _alpaca() -> Iterator[Text]:
    """Return instructions without input, in the order to which Arditi et al. shuffle them."""
    rows = hub_rows("tatsu-lab/alpaca", None, "train").shuffle(seed=42)
    return (Text(row["instruction"], f" {row['output']}") for row in rows if not row["input"].strip())


def _pile() -> Iterator[Text]:
    rows = hub_rows("monology/pile-uncopyrighted", None, "train", streaming=True)
    return (Text(None, row["text"]) for row in rows)


PUBLISHED_CORPORA: dict[str, Callable[[], Iterator[Text]]] = {"alpaca": _alpaca, "pile": _pile, "wikitext": _wikitext}
