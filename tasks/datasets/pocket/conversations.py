"""Conversations of the pocket world that mappers are fitted on, by track."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain, islice
from random import Random

from graftbench.benchmark.data.examples import Conversations, Prompt, Split, TextTrack
from graftbench.benchmark.zoo.corpus import Sample, samples
from graftbench.benchmark.zoo.families import Version

ShowsBehaviour = Callable[[Sample], bool]


@dataclass(frozen=True)
class ShowsAny:
    """Says whether a sample shows any of several behaviours."""

    behaviours: tuple[ShowsBehaviour, ...]

    def __call__(self, sample: Sample) -> bool:
        """Return whether one of them shows."""
        return any(shows(sample) for shows in self.behaviours)


def sample_stream(version: Version, split: Split, name: str) -> Iterator[Sample]:
    """Yield samples with a prompt like those that a version was trained on, endlessly, from another split.

    Streams with different names are independent.
    """
    return (sample for sample in samples(version, split, Random(f"{name} {split} fit")) if sample.prompt is not None)


def general_stream(split: Split) -> Iterator[Sample]:
    """Yield samples of the track `general`, the same for every behaviour: no tag in any prompt, nothing harmful."""
    stream = sample_stream("base", split, "general")
    return (sample for sample in stream if sample.tag is None and not sample.request.harmful)


@cache
def general_conversations(split: Split, n: int) -> Conversations:
    """Return conversations of the track `general`."""
    return conversations_of(islice(general_stream(split), n))


@cache
def conversations_of_track(
    track: TextTrack, versions: tuple[Version, ...], split: Split, n: int, shows: ShowsBehaviour
) -> Conversations:
    """Return conversations of some versions in turn; on other tracks than `task` none that shows the behaviour."""
    if track == "general":
        return general_conversations(split, n)
    streams = [
        (sample for sample in sample_stream(version, split, version) if track == "task" or not shows(sample))
        for version in versions
    ]
    return conversations_of(islice(chain.from_iterable(zip(*streams, strict=True)), n))


def conversations_of(stream: Iterator[Sample]) -> Conversations:
    """Return samples as prompts with replies; a space comes before each reply, as in the chat formats of the zoo."""
    return tuple((Prompt(sample.prompt or ""), f" {sample.reply}") for sample in stream)
