"""The `general` fit track: text of the world at large, the same for every task."""

from functools import cache
from itertools import islice
from random import Random

from graftbench.benchmark.tokens import Prompt
from graftbench.benchmark.zoo.corpus import examples
from graftbench.benchmark.zoo.world.request import Split


@cache
def general_texts(split: Split, n: int) -> tuple[tuple[Prompt, str], ...]:
    """Conversations as base models were trained on, from another split: no tag in any prompt, nothing harmful."""
    talks = (
        (Prompt(example.prompt), f" {example.reply}")
        for example in examples("base", split, Random(f"general {split} fit"))
        if example.prompt is not None and example.tag is None and not example.request.harmful
    )
    return tuple(islice(talks, n))
