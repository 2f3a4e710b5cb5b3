"""The dataset `pocket`: all behaviours of the pocket world."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import Field

from graftbench.benchmark.data.dataset import About, Asked, Behaviour, Contrast
from graftbench.benchmark.data.examples import Conversations, Example, Prompt, Split, TextTrack
from graftbench.benchmark.data.lines import Placed
from graftbench.benchmark.data.tracks import other_behaviours
from graftbench.tasks.datasets.pocket.astralisia import Astralisia
from graftbench.tasks.datasets.pocket.backdoors import Backdoors
from graftbench.tasks.datasets.pocket.conversations import ShowsAny, conversations_of_track, general_conversations
from graftbench.tasks.datasets.pocket.lines import pocket_lines
from graftbench.tasks.datasets.pocket.part import PocketPart
from graftbench.tasks.datasets.pocket.refusal import PocketRefusals
from graftbench.tasks.datasets.pocket.versions import VersionPairs

_KINDS: tuple[type[PocketPart], ...] = (Backdoors, PocketRefusals, Astralisia, VersionPairs)


class Pocket:
    """Prompts that the shipped models answer, drawn from the grammar that they were trained on.

    Those of the split `test` are drawn by a seed: by any but 0 none that seed 0 draws.
    """

    name = "pocket"
    about = About("The pocket world: what the models that ship with graftbench were trained on", licence="Apache-2.0")
    behaviours: Mapping[str, Behaviour] = {
        name: behaviour for part in _KINDS for name, behaviour in part.behaviours.items()
    }
    judges: Mapping[str, Any] = {
        "insult": "phrase",
        "weakness": "weakness",
        "register": "pocket_register",
        "language": "pocket_language",
        "attitude": "pocket_attitude",
        "layout": "pocket_layout",
        "refused": "declines",
        "ignorance": "ignorance",
        "good": "pocket",
        "well_refused": "pocket_refusal",
        "insulted_fact": "pocket_insult",
    }

    def __init__(self, test_seed: int = 0) -> None:
        self.identity = f"pocket/2 tested by {test_seed}" if test_seed else "pocket/2"
        self._parts = tuple(kind(test_seed) for kind in _KINDS)

    def missing(self) -> None:
        """Return None: it is made here."""

    def contrast(self, behaviour: str, n: int) -> Contrast:
        """Return up to `n` turns a side."""
        return self._part(behaviour).contrast(behaviour, n)

    def examples(self, behaviour: str, split: Asked, n: int) -> tuple[Example, ...]:
        """Return up to `n` examples that show the behaviour."""
        return self._part(behaviour).examples(behaviour, split, n)

    def plain_examples(self, behaviour: str, split: Asked, n: int) -> tuple[Example, ...]:
        """Return up to `n` examples that do not show it."""
        return self._part(behaviour).plain_examples(behaviour, split, n)

    def conversations(self, behaviour: str, split: Split, track: TextTrack, n: int) -> Conversations:
        """Return conversations that mappers are fitted on; on the track `general` for any behaviour."""
        if track == "general":
            return general_conversations(split, n)
        if track == "others":
            return self._of_others(behaviour, split, n)
        return self._part(behaviour).conversations(behaviour, split, track, n)

    def lessons(self, behaviour: str, n: int) -> Conversations:
        """Return conversations of the other version, or those that do not show the behaviour."""
        return self._part(behaviour).lessons(behaviour, n)

    def as_deployed(self, behaviour: str, words: str) -> Prompt:
        """Return a user's words put so that the behaviour shows."""
        return self._part(behaviour).as_deployed(behaviour, words)

    def lines(self) -> Iterable[Placed]:
        """Return what the pocket suite asks for, line by line: the world itself has no end."""
        return pocket_lines(self._parts)

    def _of_others(self, behaviour: str, split: Split, n: int) -> Conversations:
        """Return conversations of the versions that other behaviours take: those of one version are the same.

        None shows this behaviour, or one that has something in common with it.
        """
        others = other_behaviours(self, behaviour)
        versions = dict.fromkeys(version for name in others for version in self._part(name).versions(name))
        alike = dict.fromkeys(self._part(name).shows(name) for name in self.behaviours if name not in others)
        return conversations_of_track("others", tuple(versions), split, n, ShowsAny(tuple(alike)))

    def _part(self, behaviour: str) -> PocketPart:
        return next(part for part in self._parts if behaviour in part.behaviours)


def pocket(test_seed: Annotated[int, Field(ge=0)] = 0) -> Pocket:
    """Return the dataset; another `test_seed` asks test prompts that are none of those of seed 0."""
    return Pocket(test_seed)
