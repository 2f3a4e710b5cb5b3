"""The common form of the pocket world's behaviours: each module of this folder has some of them."""

from abc import ABC, abstractmethod
from collections.abc import Mapping

from graftbench.benchmark.data.dataset import Asked, Behaviour, Contrast
from graftbench.benchmark.data.examples import Conversations, Example, Prompt, Split, Track
from graftbench.benchmark.zoo.families import Version
from graftbench.tasks.datasets.pocket.conversations import ShowsBehaviour, conversations_of_track


class PocketPart(ABC):
    """Some behaviours of the pocket world."""

    behaviours: Mapping[str, Behaviour]

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

    def conversations(self, behaviour: str, split: Split, track: Track, n: int) -> Conversations:
        """Return conversations that mappers are fitted on."""
        return conversations_of_track(track, self.versions(behaviour), split, n, self.shows(behaviour))

    def lessons(self, behaviour: str, n: int) -> Conversations:
        """Return conversations of the other version; where there is one version, those that do not show it."""
        first, *other = self.versions(behaviour)
        track: Track = "task" if other else "unseen"
        return conversations_of_track(track, (*other, first)[:1], "fit", n, self.shows(behaviour))

    def versions(self, behaviour: str) -> tuple[Version, ...]:
        """Return the versions whose conversations are fitted on."""
        versions: tuple[Version, ...] = self.behaviours[behaviour].versions  # type: ignore[assignment]  # of the zoo
        return versions
