"""What a switching experiment is made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.examples import Conversations, Example
from graftbench.benchmark.experiments.judging import Judging
from graftbench.benchmark.interventions.conditions import Condition, Row
from graftbench.benchmark.interventions.cross_model import Follow, Link
from graftbench.benchmark.interventions.operators import Replace, Rewrite
from graftbench.benchmark.mappers.protocol import FittedMapper
from graftbench.benchmark.models.architectures import Sites
from graftbench.benchmark.models.chat import Chat, chat
from graftbench.benchmark.models.load import Model, check_site
from graftbench.benchmark.models.tokens import positions_of


@dataclass(frozen=True, eq=False)
class SwitchingDesign:
    """One experiment: the model that runs, the version it is to become, and what the mapper reads.

    The mapper reads the running model itself where `source` is that model; else a model that reads the same text
    beside it. `sites` are those of the source and of the running model, whose other version shares them; where there
    are `further` ones, all are replaced by what is predicted of the source as it is, untouched.
    """

    source: Model
    running: Model
    other: Model
    sites: Sites
    validation: tuple[Example, ...]
    test: tuple[Example, ...]
    judging: Judging
    judges: str  # task and judges, with their versions
    lessons: Conversations  # conversations as the other version was trained on, for an adapter and for means
    positions: Literal["all", "prompt"] = "all"  # of the direct patch and the mean
    further: tuple[Sites, ...] = ()

    @property
    def all_sites(self) -> tuple[Sites, ...]:
        """The site and the further ones."""
        return self.sites, *self.further

    def check(self) -> None:
        """UserError where a site is none of the model's, or a model is to rewrite itself at two different sites."""
        for sites in self.all_sites:
            for model, site in zip((self.source, self.running), sites, strict=True):
                check_site(model, site)
        if self.source is self.running and self.sites[0] != self.sites[1]:
            raise UserError(
                f"{self.running.name} is rewritten where it is read: give one site twice, not {list(self.sites)}."
            )

    def patched(self) -> Condition:
        """The direct patch: the other version's own activations."""
        links = tuple(Link(site, site, _same) for _, site in self.all_sites)
        follow = Follow(self.other, links, f"direct {self.other.identity}", prompt_only=self.positions == "prompt")
        return Condition("native", lambda _, text: Row(text, follow=follow))

    def mapped(self, carrier: FittedMapper) -> Condition:
        """What the mapper predicts of the other version's activations."""
        if self.source is self.running and not self.further:
            step = Rewrite(self.sites[1], carrier.carry, carrier.identity)
            return Condition("mapped", lambda _, text: Row(text, (step,)), of_mapper=True)
        carriers = (carrier, *carrier.others)
        links = tuple(Link(*sites, each.carry) for sites, each in zip(self.all_sites, carriers, strict=True))
        identity = " ".join([self.source.identity, *(each.identity for each in carriers)])
        follow = Follow(self.source, links, identity)

        def row(item: Example, text: Chat) -> Row:
            return Row(text, follow=follow, source_text=chat(item.prompt, self.source.tokenizer))

        return Condition("mapped", row, of_mapper=True)

    def rewritten_as_it_is(self) -> Condition:
        """The running model's own activations in their own place."""
        steps = tuple(Rewrite(site, _same, "identity") for _, site in self.all_sites)
        return Condition("identity", lambda _, text: Row(text, steps))

    def replaced(self, name: str, states: Mapping[int, Tensor]) -> Condition:
        """At each site one state [d] in the place of every activation."""

        def row(_: Example, text: Chat) -> Row:
            where = positions_of(self.positions, text, self.running.tokenizer)
            return Row(text, tuple(Replace(site, state.float(), where) for site, state in states.items()))

        return Condition(name, row)


def _same(states: Tensor) -> Tensor:
    return states
