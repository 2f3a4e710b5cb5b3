"""The design of a steering experiment: two models with a site in each, the contrast, the prompts and positions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Literal

from torch import Tensor

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.examples import Example, Prompt, Turn
from graftbench.benchmark.experiments.assessment import Assessment
from graftbench.benchmark.experiments.bench import Judging
from graftbench.benchmark.interventions.conditions import Condition, Row
from graftbench.benchmark.interventions.operators import Add, Replace
from graftbench.benchmark.interventions.vectors import paired_positions
from graftbench.benchmark.models.alignment import End, align, same_tokenizer, token_ends
from graftbench.benchmark.models.chat import Chat, turn_chat
from graftbench.benchmark.models.handle import ModelHandle
from graftbench.benchmark.models.load import check_site
from graftbench.benchmark.models.tokens import positions_of

Contrastive = tuple[Turn, Turn]  # desired, undesired


@dataclass(frozen=True, eq=False)
class VectorDesign:
    """Where a vector comes from and goes: read at `positions` of the contrast, and added at those of a prompt.

    With `added_at` a vector of one position is added at all positions instead, generated ones too. With `spoken` above
    0 the vector goes on into the reply for that many tokens: it is read at the last token of the contrast's reply so
    far and at the tokens of its continuation, and added at the last token of a prompt and at those of the reply.
    """

    source: ModelHandle
    target: ModelHandle
    sites: tuple[int, int]
    contrast: tuple[Contrastive, ...]
    validation: tuple[Example, ...]
    test: tuple[Example, ...]
    positions: str | int = "trigger"
    added_at: Literal["all"] | None = None
    spoken: int = 0
    words: Callable[[str], Prompt] = Prompt  # phrases a user's words so that the undesired behaviour shows

    def check(self) -> None:
        """Raise UserError where a model has no such site, or the vector goes on and the tokenizers differ."""
        for model, site in zip((self.source, self.target), self.sites, strict=True):
            check_site(model, site)
        if self.spoken and not same_tokenizer(self.source, self.target):
            raise UserError(
                f"A vector that goes on into the reply needs one tokenizer: {self.source.name} and {self.target.name} "
                "cut their replies differently."
            )

    def adding(
        self, name: str, vector: Tensor, draw: int = 0, strength: float | None = None, of_mapper: bool = False
    ) -> Condition:
        """Return the condition that adds a vector [positions, d] to the target."""
        return Condition(name, self._row_with(Add, vector), draw, strength, of_mapper)

    def everywhere(self, name: str, vector: Tensor) -> Condition:
        """Return the condition that adds a vector [d] at all positions of any text."""
        return Condition(name, lambda _, text: Row(text, (Add(self.sites[1], vector.float(), None),)))

    def replacing(self, name: str, vector: Tensor) -> Condition:
        """Return the condition that replaces the target's activations by a vector [positions, d]."""
        return Condition(name, self._row_with(Replace, vector))

    @cached_property
    def places(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Paired positions of source and target, both counted from the right.

        Those that end at the same character of a prompt are paired; where none does, all are, from the right.
        """
        if self.spoken:
            in_order = tuple(range(-1 - self.spoken, 0))
            return in_order, in_order
        undesired = self.contrast[0][1]
        source, target = (self._ends_of_positions(model, undesired) for model in (self.source, self.target))
        pairing = align(source, target)
        if not pairing.source:
            n = min(len(source), len(target))
            return tuple(range(-n, 0)), tuple(range(-n, 0))
        return tuple(i - len(source) for i in pairing.source), tuple(i - len(target) for i in pairing.target)

    def _ends_of_positions(self, model: ModelHandle, turn: Turn) -> list[End]:
        """Return where each of the named positions of a prompt ends."""
        text = turn_chat(turn, model)
        where = positions_of(self.positions, text, model.tokenizer)
        assert where is not None
        all_ends = token_ends(text, model.tokenizer)
        return [all_ends[position] for position in where]

    @cached_property
    def _where(self) -> Callable[[Chat], tuple[int, ...] | None]:
        name = self.positions if self.added_at is None else self.added_at
        return cache(lambda text: positions_of(name, text, self.target.tokenizer))

    def _row_with(self, kind: type[Add] | type[Replace], vector: Tensor) -> Callable[[Example, Chat], Row]:
        def row(_: Example, text: Chat) -> Row:
            if self.spoken:
                return Row(text, (self._through_reply(kind, vector.float()),))
            where = self._where(text)
            placed = vector if where is None else paired_positions(vector, len(where))
            return Row(text, (kind(self.sites[1], placed.float(), where),))

        return row

    def _through_reply(self, kind: type[Add] | type[Replace], vector: Tensor) -> Add | Replace:
        if kind is Replace:
            return Replace(self.sites[1], vector[:1], (-1,))
        return Add(self.sites[1], vector[:1], (-1,), generated=vector[1:])


@dataclass(frozen=True, eq=False)
class SteeringDesign(VectorDesign):
    """One experiment: a vector is added to the target, and judges say what became of its answers."""

    judging: Judging = field(kw_only=True)
    judges: str = field(kw_only=True)  # task and judges, with their versions

    def assessment(self, clean: Mapping[str, str]) -> Assessment:
        """Return how completions are judged, given clean answers by prompt."""
        return Assessment(self.judging, self.target, clean)
