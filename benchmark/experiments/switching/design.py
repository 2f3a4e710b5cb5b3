"""The design of a switching experiment."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from torch import Tensor

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.examples import Conversations, Example
from graftbench.benchmark.experiments.assessment import Assessment
from graftbench.benchmark.experiments.bench import Judging
from graftbench.benchmark.interventions.conditions import Condition, Row
from graftbench.benchmark.interventions.cross_model import Follow, Link
from graftbench.benchmark.interventions.operators import Replace, Rewrite
from graftbench.benchmark.mappers.protocol import FittedMapper
from graftbench.benchmark.models.architectures import Sites
from graftbench.benchmark.models.chat import Chat, chat
from graftbench.benchmark.models.handle import ModelHandle
from graftbench.benchmark.models.load import check_site
from graftbench.benchmark.models.tokens import positions_of

Baseline = Literal["mean_ablated", "eraser"]  # the condition that transfer is measured from
MEAN_ABLATED: Final = "mean_ablated"
ERASER: Final = "eraser"


@dataclass(frozen=True, eq=False)
class SwitchingDesign:
    """One experiment: the running model, the version that it is to become, and the source that the mapper reads.

    The source is the running model itself, or another model that reads the same text. `sites` are those of the source
    and of the running model, whose other version shares them. With `further` sites all are replaced, by predictions
    from the source without interventions.
    """

    source: ModelHandle
    running: ModelHandle
    other: ModelHandle
    sites: Sites
    validation: tuple[Example, ...]
    test: tuple[Example, ...]
    judging: Judging
    judges: str  # task and judges, with their versions
    lessons: Conversations  # conversations like the other version's training data, for an adapter and for means
    positions: Literal["all", "prompt"] = "all"  # of the direct patch and the mean
    further: tuple[Sites, ...] = ()
    lora_steps: int = 100  # of the adapter that is trained beside the mapper; 0: none is
    erased: bool = False  # the baseline is the direct patch without its trigger, where all prompts have one
    untriggered: tuple[Example, ...] = ()  # test prompts without a trigger

    @property
    def target(self) -> ModelHandle:
        """The version whose activations are predicted."""
        return self.other

    @property
    def all_sites(self) -> tuple[Sites, ...]:
        """The pair of sites and the further ones."""
        return self.sites, *self.further

    @property
    def baseline(self) -> Baseline:
        """The condition that transfer is measured from."""
        asked = (*self.validation, *self.test)
        return ERASER if self.erased and all(each.prompt.trigger for each in asked) else MEAN_ABLATED

    @property
    def later_parts(self) -> list[Any]:
        """What results depend on besides, as JSON can hold it; empty without what came later."""
        plain = [asdict(item) for item in self.untriggered]
        return [*([self.baseline] if self.baseline == ERASER else []), *([plain] if plain else [])]

    def check(self) -> None:
        """Raise UserError where a model has no such site, or is to rewrite itself at two different sites."""
        for sites in self.all_sites:
            for model, site in zip((self.source, self.running), sites, strict=True):
                check_site(model, site)
        if self.source is self.running and self.sites[0] != self.sites[1]:
            raise UserError(
                f"{self.running.name} is rewritten where it is read: give one site twice, not {list(self.sites)}."
            )

    def assessment(self, clean: Mapping[str, str]) -> Assessment:
        """Return how completions are judged, given clean answers by prompt."""
        return Assessment(self.judging, self.target, clean)

    def patched(self) -> Condition:
        """Return the direct patch: the other version's own activations."""
        links = tuple(Link(site, site, _identity) for _, site in self.all_sites)
        follow = Follow(self.other, links, f"direct {self.other.identity}", prompt_only=self.positions == "prompt")
        return Condition("native", lambda _, text: Row(text, follow=follow))

    def mapped(self, mapper: FittedMapper, name: str = "mapped") -> Condition:
        """Return the condition with the mapper's predictions of the other version's activations."""
        if self.source is self.running and not self.further:
            step = Rewrite(self.sites[1], mapper.carry, mapper.identity)
            return Condition(name, lambda _, text: Row(text, (step,)), of_mapper=True)
        mappers = (mapper, *mapper.others)
        links = tuple(Link(*sites, each.carry) for sites, each in zip(self.all_sites, mappers, strict=True))
        identity = " ".join([self.source.identity, *(each.identity for each in mappers)])
        follow = Follow(self.source, links, identity)

        def row(item: Example, text: Chat) -> Row:
            return Row(text, follow=follow, source_text=chat(item.prompt, self.source.tokenizer))

        return Condition(name, row, of_mapper=True)

    def rewritten_by_identity(self) -> Condition:
        """Return the condition that rewrites the running model's activations by themselves."""
        steps = tuple(Rewrite(site, _identity, "identity") for _, site in self.all_sites)
        return Condition("identity", lambda _, text: Row(text, steps))

    def replaced(self, name: str, states: Mapping[int, Tensor]) -> Condition:
        """Return the condition that replaces all activations at each site by one state [d]."""

        def row(_: Example, text: Chat) -> Row:
            where = positions_of(self.positions, text, self.running.tokenizer)
            return Row(text, tuple(Replace(site, state.float(), where) for site, state in states.items()))

        return Condition(name, row)


def _identity(states: Tensor) -> Tensor:
    return states
