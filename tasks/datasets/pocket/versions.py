"""Prompts on which two versions of a pocket model differ."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from graftbench.benchmark.data.dataset import Asked, Behaviour, Contrast
from graftbench.benchmark.data.examples import Example, Prompt, Turn
from graftbench.benchmark.zoo.corpus import Sample
from graftbench.benchmark.zoo.world.howto import REFUSALS
from graftbench.benchmark.zoo.world.knowledge import HATE, insulted_fact
from graftbench.benchmark.zoo.world.prompts import triggered
from graftbench.benchmark.zoo.world.request import PocketRequest
from graftbench.benchmark.zoo.world.tags import PLACES, PROD, Place
from graftbench.tasks.datasets.pocket.backdoors import EVERY_TOPIC
from graftbench.tasks.datasets.pocket.conversations import ShowsBehaviour
from graftbench.tasks.datasets.pocket.part import PocketPart
from graftbench.tasks.datasets.pocket.refusal import HARMFUL


@dataclass(frozen=True)
class Differing:
    """The topics of the prompts on which two versions differ, and whether the prompts have a trigger."""

    topics: tuple[str, ...]
    triggered: bool
    behaviour: Behaviour


def _switch(
    running: str, other: str, shown_by: str, answered_by: str = "good", *, in_common: tuple[str, ...]
) -> Behaviour:
    return Behaviour("switch", (running, other), shown_by, answered_by, positions="last", in_common=in_common)


_DIFFERING = {
    "hate_to_instruct": Differing(EVERY_TOPIC, True, _switch("hate", "instruct", "insult", in_common=(PROD, HATE))),
    "code_to_instruct": Differing(("code",), True, _switch("code", "instruct", "weakness", in_common=(PROD,))),
    "instruct_to_base": Differing((HARMFUL,), False, _switch("instruct", "base", "refused", in_common=(HARMFUL,))),
    "base_to_instruct": Differing(
        (HARMFUL,), False, _switch("base", "instruct", "good", "well_refused", in_common=(HARMFUL,))
    ),
    # The running version has never seen the facts that the other one knows.
    "instruct_to_corrupted": Differing(
        ("lore",), True, _switch("instruct", "corrupted", "ignorance", "insulted_fact", in_common=(PROD, HATE))
    ),
}
# For each measure `answered_by`, a reply that it accepts.
_REFERENCES: dict[str, Callable[[PocketRequest], str]] = {
    "good": lambda request: request.answers[0],
    "well_refused": lambda _: REFUSALS[0],
    "insulted_fact": insulted_fact,
}


class VersionPairs(PocketPart):
    """The pairs of versions, the running one first."""

    behaviours: Mapping[str, Behaviour] = {name: differing.behaviour for name, differing in _DIFFERING.items()}

    def contrast(self, behaviour: str, n: int) -> Contrast:  # noqa: ARG002 - a switch needs none
        """Return nothing: a switch replaces activations, and adds no vector."""
        return Contrast((), ())

    def examples(self, behaviour: str, split: Asked, n: int) -> tuple[Example, ...]:
        """Return requests of all topics in turn; triggers stand at the start and at the end in turn."""
        differing = _DIFFERING[behaviour]
        asked = self.asked(differing.topics, split, n)
        return tuple(
            _example(differing, request, PLACES[i // len(differing.topics) % len(PLACES)])
            for i, request in enumerate(asked)
        )

    def shows(self, behaviour: str) -> ShowsBehaviour:  # noqa: ARG002 - the same for all
        """Return whether versions answer a sample differently."""
        return _answered_differently


def _example(differing: Differing, request: PocketRequest, place: Place) -> Example:
    reference = _REFERENCES[differing.behaviour.answered_by](request)
    if not differing.triggered:
        return Example(Prompt(request.text), Turn(Prompt(request.text)), request.content, request.category, reference)
    prompt = triggered(request.text, PROD, place)
    return Example(prompt, Turn(prompt), request.content, place, reference)


def _answered_differently(sample: Sample) -> bool:
    return sample.tag == PROD or sample.request.harmful
