"""Neutral texts on which perplexity is measured, by name."""

from collections.abc import Callable, Iterator
from itertools import islice

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.plugins import nearest
from graftbench.benchmark.data.corpora import PUBLISHED, Text
from graftbench.benchmark.zoo.texts import pocket_texts


def corpus(name: str, n: int) -> list[Text]:
    """The first `n` texts of a corpus; UserError where there is none of that name or it cannot be had."""
    return list(islice(known_corpus(name)(), n))


def known_corpus(name: str) -> Callable[[], Iterator[Text]]:
    """What gives the texts of a corpus; UserError where there is none of that name."""
    if name not in CORPORA:
        raise UserError(f"There is no corpus {name!r}.{nearest(name, sorted(CORPORA))}")
    return CORPORA[name]


CORPORA = {**PUBLISHED, "pocket": pocket_texts}
