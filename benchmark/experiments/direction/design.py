"""The design of an experiment with a direction."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from typing import Any, Literal

from torch import Tensor

from graftbench.benchmark.core.store import Store
from graftbench.benchmark.data.examples import Example
from graftbench.benchmark.experiments.bench import Judging
from graftbench.benchmark.interventions.conditions import Condition, Row
from graftbench.benchmark.interventions.directions import PromptSets, Selection, read_selection, select_direction
from graftbench.benchmark.interventions.operators import Ablate, Add
from graftbench.benchmark.models.chat import Chat
from graftbench.benchmark.models.handle import ModelHandle
from graftbench.benchmark.models.tokens import positions_of

# Added to every token, as published, or to those of the prompt alone.
Use = Literal["ablation", "addition", "addition_prompt"]


@dataclass(frozen=True, eq=False)
class DirectionDesign:
    """One experiment: prompts to select directions on, prompts to ask with them, and how answers are judged.

    `test` is asked under every condition; `harmless` under some, to measure what an ablation costs. `refusals` returns
    the tokens that begin a refusal in a model.
    """

    source: ModelHandle
    target: ModelHandle
    use: Use
    contrast: PromptSets
    validation: PromptSets
    test: tuple[Example, ...]
    harmless: tuple[Example, ...]
    judging: Judging
    judging_harmless: Judging
    judges: str  # task and judges, with their versions
    refusals: Callable[[ModelHandle], list[int]]

    @property
    def validation_items(self) -> tuple[Example, ...]:
        """Validation prompts that are asked with the direction."""
        asked = self.validation.harmful if self.use == "ablation" else self.validation.harmless
        return tuple(Example(prompt, None, prompt.text) for prompt in asked)

    def selection(self, store: Store, model: ModelHandle) -> Selection:
        """Return the selected direction of a model, from the cache where it is there."""
        tokens = self.refusals(model)
        parts = [model.identity, model.device.type, asdict(self.contrast), asdict(self.validation), tokens]

        def make() -> dict[str, Any]:
            with model.loaded() as loaded:
                return select_direction(loaded, self.contrast, self.validation, tokens).record()

        return read_selection(store.value("directions", parts, make))

    def using(self, name: str, vector: Tensor, site: int, draw: int = 0, of_mapper: bool = False) -> Condition:
        """Return the condition that ablates a direction [d] everywhere, or adds it at its site."""

        def row(_: Example, text: Chat) -> Row:
            if self.use == "ablation":
                return Row(text, (Ablate(vector),))
            return Row(text, (Add(site, vector.float(), self._where(text)),))

        return Condition(name, row, draw, of_mapper=of_mapper)

    def everywhere(self, name: str, vector: Tensor, site: int) -> Condition:
        """Return the condition that adds a vector [d] at all positions, generated ones too."""
        return Condition(name, lambda _, text: Row(text, (Add(site, vector.float(), None),)))

    @cached_property
    def _where(self) -> Callable[[Chat], tuple[int, ...] | None]:
        named = "all" if self.use == "addition" else "prompt"
        return cache(lambda text: positions_of(named, text, self.target.tokenizer))
