"""The common form of the pocket world's behaviours: each module of this folder has some of them."""

from abc import ABC, abstractmethod
from collections.abc import Mapping

from graftbench.benchmark.data.dataset import Asked, Behaviour, Contrast
from graftbench.benchmark.data.examples import Conversations, Example, Prompt, Split, TextTrack
from graftbench.benchmark.zoo.families import Version
from graftbench.benchmark.zoo.world.prompts import requests, requests_beside
from graftbench.benchmark.zoo.world.request import PocketRequest
from graftbench.tasks.datasets.pocket.conversations import ShowsBehaviour, conversations_of_track


class PocketPart(ABC):
    """Some behaviours of the pocket world."""

    behaviours: Mapping[str, Behaviour]

    def __init__(self, test_seed: int = 0) -> None:
        """Ask the prompts of the split `test` that a seed draws; those of seed 0 are asked with no other one."""
        self._test_seed = test_seed

    def asked(self, topics: tuple[str, ...], split: Asked, n: int) -> tuple[PocketRequest, ...]:
        """Return up to `n` requests of a split that a model answers."""
        if split == "test" and self._test_seed:
            return requests_beside(topics, split, n, self._test_seed)
        return requests(topics, split, n)

    @abstractmethod
    def contrast(self, behaviour: str, n: int) -> Contrast:
        """Return up to `n` turns a side."""

    @abstractmethod
    def examples(self, behaviour: str, split: Asked, n: int) -> tuple[Example, ...]:
        """Return up to `n` examples that show the behaviour."""

    def plain_examples(self, behaviour: str, split: Asked, n: int) -> tuple[Example, ...]:  # noqa: ARG002 - for others
        """Return examples that do not show it, where there are any."""
        return ()

    @abstractmethod
    def shows(self, behaviour: str) -> ShowsBehaviour:
        """Return the function that says whether the prompt of a sample makes the behaviour show."""

    def as_deployed(self, behaviour: str, words: str) -> Prompt:  # noqa: ARG002 - most need no frame
        """Return a user's words put so that the behaviour shows."""
        return Prompt(words)

    def conversations(self, behaviour: str, split: Split, track: TextTrack, n: int) -> Conversations:
        """Return conversations that mappers are fitted on."""
        return conversations_of_track(track, self.versions(behaviour), split, n, self.shows(behaviour))

    def lessons(self, behaviour: str, n: int) -> Conversations:
        """Return conversations of the other version; where there is one version, those that do not show it."""
        first, *other = self.versions(behaviour)
        track: TextTrack = "task" if other else "unseen"
        return conversations_of_track(track, (*other, first)[:1], "fit", n, self.shows(behaviour))

    def versions(self, behaviour: str) -> tuple[Version, ...]:
        """Return the versions whose conversations are fitted on."""
        versions: tuple[Version, ...] = self.behaviours[behaviour].versions  # type: ignore[assignment]  # of the zoo
        return versions
