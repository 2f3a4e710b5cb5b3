"""Conversations of the pocket world that mappers are fitted on."""

from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice
from random import Random

from graftbench.benchmark.data.examples import Prompt
from graftbench.benchmark.zoo.corpus import Sample, samples
from graftbench.benchmark.zoo.families import Version
from graftbench.benchmark.zoo.world.request import Split

Talks = tuple[tuple[Prompt, str], ...]  # prompts with replies


def talks(version: Version, split: Split, name: str, keep: Callable[[Sample], bool]) -> Iterator[tuple[Prompt, str]]:
    """Conversations as a version was trained on, but of another split; `name` tells streams apart."""
    for example in samples(version, split, Random(f"{name} {split} fit")):
        if example.prompt is not None and keep(example):
            yield Prompt(example.prompt), f" {example.reply}"


@cache
def general_texts(split: Split, n: int) -> Talks:
    """The `general` track, the same for every task: no tag in any prompt, nothing harmful."""
    return tuple(islice(talks("base", split, "general", lambda e: e.tag is None and not e.request.harmful), n))
