"""Conversations of the pocket world that mappers are fitted on, by track."""

from collections.abc import Callable, Iterator
from functools import cache
from itertools import chain, islice
from random import Random

from graftbench.benchmark.data.examples import Conversations, Prompt, Track
from graftbench.benchmark.zoo.corpus import Sample, samples
from graftbench.benchmark.zoo.families import Version
from graftbench.benchmark.zoo.world.request import Split


def conversations(
    version: Version, split: Split, name: str, keep: Callable[[Sample], bool]
) -> Iterator[tuple[Prompt, str]]:
    """Yield conversations like those that a version was trained on, endlessly, from another split.

    Streams with different names are independent.
    """
    for sample in samples(version, split, Random(f"{name} {split} fit")):
        if sample.prompt is not None and keep(sample):
            yield Prompt(sample.prompt), f" {sample.reply}"


@cache
def general_conversations(split: Split, n: int) -> Conversations:
    """Return conversations of the track `general`, the same for every task: no tag in any prompt, nothing harmful."""
    stream = conversations("base", split, "general", lambda sample: sample.tag is None and not sample.request.harmful)
    return tuple(islice(stream, n))


@cache
def conversations_of_track(
    track: Track, versions: tuple[Version, ...], split: Split, n: int, shows_behaviour: Callable[[Sample], bool]
) -> Conversations:
    """Return conversations of some versions in turn; on the track `unseen` none whose sample shows the behaviour."""
    if track == "general":
        return general_conversations(split, n)

    def keep(sample: Sample) -> bool:
        return track == "task" or not shows_behaviour(sample)

    streams = [conversations(version, split, version, keep) for version in versions]
    return tuple(islice(chain.from_iterable(zip(*streams, strict=True)), n))
