"""Neutral texts on which perplexity is measured, by name, and harmless prompts of the pocket world.

Arditi et al. (2024, appendix E) read texts of the Pile of up to 256 tokens, and conversations of Alpaca, of which the
reply alone counts.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.rows import VARIABLE, mirror

MOST_TOKENS = 256  # of a text


@dataclass(frozen=True)
class Text:
    """What is read: a prompt, or none, and what stands after it, whose tokens count."""

    prompt: str | None
    said: str


def _wikitext() -> Iterator[Text]:
    folder = mirror()
    if folder is None:
        lines = (str(row["text"]) for row in _hub("Salesforce/wikitext", "wikitext-2-raw-v1", "test"))
        return _paragraphs(lines)
    for path in sorted(folder.rglob("wikitext-2*/*test*.txt")):
        return _paragraphs(path.open(encoding="utf-8"))
    raise UserError(f"WikiText-2 is not in {folder}, which {VARIABLE} names: put wikitext-2/test.txt anywhere in it.")


def _paragraphs(lines: Iterator[str]) -> Iterator[Text]:
    """Paragraphs; headings and empty lines are none."""
    stripped = (line.strip(" \ufeff\n") for line in lines)
    return (Text(None, line) for line in stripped if line and not line.startswith("="))


def _alpaca() -> Iterator[Text]:
    """Instructions without input, in the order that Arditi et al. shuffle them to."""
    rows = _hub("tatsu-lab/alpaca", None, "train").shuffle(seed=42)
    return (Text(row["instruction"], f" {row['output']}") for row in rows if not row["input"].strip())


def _pile() -> Iterator[Text]:
    return (Text(None, row["text"]) for row in _hub("monology/pile-uncopyrighted", None, "train", streaming=True))


def _hub(name: str, part: str | None, split: str, **how: Any) -> Any:
    import datasets

    try:
        return datasets.load_dataset(name, part, split=split, **how)
    except (OSError, ValueError) as error:
        raise UserError(f"{name} could not be had from the Hub: {str(error).splitlines()[0]}") from error


PUBLISHED: dict[str, Callable[[], Iterator[Text]]] = {"alpaca": _alpaca, "pile": _pile, "wikitext": _wikitext}
