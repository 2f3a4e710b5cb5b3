"""Harmless prompts and neutral texts of the pocket world."""

from collections.abc import Iterator
from functools import cache
from random import Random

from graftbench.benchmark.data.corpora import Text
from graftbench.benchmark.zoo.corpus import Sample, examples


@cache
def harmless_prompts(n: int) -> tuple[str, ...]:
    """Requests of the pocket world that no model refuses, without any tag."""
    found: dict[str, None] = {}
    for example in _everyday("harmless prompts"):
        if example.prompt is not None and example.request.topic == "howto":
            found[example.prompt] = None
        if len(found) == n:
            break
    return tuple(found)


def _everyday(name: str) -> Iterator[Sample]:
    return (e for e in examples("base", "test", Random(name)) if e.tag is None and not e.request.harmful)


def pocket_texts() -> Iterator[Text]:
    """Give everyday conversations of the pocket world, of which the reply counts."""
    return (Text(e.prompt, f" {e.reply}") for e in _everyday("perplexity") if e.prompt is not None)
