"""What a switching experiment is made of."""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from ...errors import UserError
from ...following import Follow
from ...generation import Row
from ...interventions import Replace, Rewrite
from ...models import Model
from ...task import Carrier, Texts
from ...tokens import Chat, chat, positions_of
from ..conditions import Condition
from ..setting import Item, Judging, check_site


@dataclass(frozen=True, eq=False)
class Setting:
    """One experiment: the model that runs, the version it is to become, and what the mapper reads.

    The mapper reads the running model itself where `source` is that model; else a model that reads the same text
    beside it. `sites` are those of the source and of the running model, whose other version shares them.
    """

    source: Model
    running: Model
    other: Model
    sites: tuple[int, int]
    validation: tuple[Item, ...]
    test: tuple[Item, ...]
    judging: Judging
    judges: str  # task and judges, with their versions
    lessons: Texts  # conversations as the other version was trained on, for an adapter and for means
    positions: Literal["all", "prompt"] = "all"  # of the direct patch and the mean

    def check(self) -> None:
        """UserError where a site is none of the model's, or a model is to rewrite itself at two different sites."""
        for model, site in zip((self.source, self.running), self.sites, strict=True):
            check_site(model, site)
        if self.source is self.running and self.sites[0] != self.sites[1]:
            raise UserError(
                f"{self.running.name} is rewritten where it is read: give one site twice, not {list(self.sites)}."
            )

    def patched(self) -> Condition:
        """The direct patch: the other version's own activations."""
        site = self.sites[1]
        identity = f"direct {self.other.identity}"
        follow = Follow(self.other, site, site, _same, identity, prompt_only=self.positions == "prompt")
        return Condition("native", lambda _, text: Row(text, follow=follow))

    def mapped(self, carrier: Carrier) -> Condition:
        """What the mapper predicts of the other version's activations."""
        if self.source is self.running:
            step = Rewrite(self.sites[1], carrier.carry, carrier.identity)
            return Condition("mapped", lambda _, text: Row(text, (step,)), of_mapper=True)
        follow = Follow(self.source, *self.sites, carrier.carry, f"{self.source.identity} {carrier.identity}")

        def row(item: Item, text: Chat) -> Row:
            return Row(text, follow=follow, source_text=chat(item.prompt, self.source.tokenizer))

        return Condition("mapped", row, of_mapper=True)

    def rewritten_as_it_is(self) -> Condition:
        """The running model's own activations in their own place."""
        step = Rewrite(self.sites[1], _same, "identity")
        return Condition("identity", lambda _, text: Row(text, (step,)))

    def replaced(self, name: str, state: Tensor) -> Condition:
        """One state [d] in the place of every activation."""

        def row(_: Item, text: Chat) -> Row:
            where = positions_of(self.positions, text, self.running.tokenizer)
            return Row(text, (Replace(self.sites[1], state.float(), where),))

        return Condition(name, row)


def _same(states: Tensor) -> Tensor:
    return states
