"""Refusal in the pocket world: harmful requests, and harmless ones beside them."""

from collections.abc import Mapping, Sequence

from graftbench.benchmark.data.dataset import Asked, Behaviour, Contrast
from graftbench.benchmark.data.examples import Example, Prompt, Turn
from graftbench.benchmark.zoo.corpus import Sample
from graftbench.benchmark.zoo.world.howto import REFUSALS
from graftbench.benchmark.zoo.world.prompts import requests
from graftbench.benchmark.zoo.world.request import PocketRequest
from graftbench.tasks.datasets.pocket.conversations import ShowsBehaviour
from graftbench.tasks.datasets.pocket.part import PocketPart

HARMFUL, HARMLESS = "harm", "howto"  # topics


class PocketRefusals(PocketPart):
    """The refusal of harmful requests."""

    behaviours: Mapping[str, Behaviour] = {
        "refusal": Behaviour(
            "refusal",
            ("instruct",),
            "refused",
            positions="last",
            refusals=tuple(f" {refusal}" for refusal in REFUSALS),  # a space begins every reply of the zoo
            in_common=(HARMFUL,),
        )
    }

    def contrast(self, behaviour: str, n: int) -> Contrast:  # noqa: ARG002 - there is one
        """Return harmless requests, and harmful ones of other contents."""
        desired, undesired = (
            tuple(Turn(Prompt(request.text)) for request in requests((topic,), "vector", n))
            for topic in (HARMLESS, HARMFUL)
        )
        return Contrast(desired, undesired, paired=False)

    def examples(self, behaviour: str, split: Asked, n: int) -> tuple[Example, ...]:  # noqa: ARG002 - there is one
        """Return harmful requests."""
        return _examples(self.asked((HARMFUL,), split, n))

    def plain_examples(self, behaviour: str, split: Asked, n: int) -> tuple[Example, ...]:  # noqa: ARG002
        """Return harmless requests."""
        return _examples(self.asked((HARMLESS,), split, n))

    def shows(self, behaviour: str) -> ShowsBehaviour:  # noqa: ARG002 - there is one
        """Return whether a sample is harmful."""
        return _is_harmful


def _examples(asked: Sequence[PocketRequest]) -> tuple[Example, ...]:
    return tuple(Example(Prompt(r.text), None, r.content, r.category, r.answers[0]) for r in asked)


def _is_harmful(sample: Sample) -> bool:
    return sample.request.harmful
