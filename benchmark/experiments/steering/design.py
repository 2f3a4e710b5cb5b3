"""What a steering experiment is made of: two models with a site in each, the contrast, the prompts and positions."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Literal

from torch import Tensor

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.examples import Example, Prompt, Turn
from graftbench.benchmark.experiments.judging import Judging
from graftbench.benchmark.interventions.conditions import Condition, Row
from graftbench.benchmark.interventions.operators import Add, Replace
from graftbench.benchmark.interventions.vectors import paired_positions
from graftbench.benchmark.models.alignment import End, align, same_tokenizer, token_ends
from graftbench.benchmark.models.chat import Chat, turn_chat
from graftbench.benchmark.models.load import Model, check_site
from graftbench.benchmark.models.tokens import positions_of

Contrastive = tuple[Turn, Turn]  # desired, undesired


@dataclass(frozen=True, eq=False)
class SteeringDesign:
    """One experiment. The vector is read at `positions` of the contrast and added at those of a prompt.

    A vector of one position can be added at all of them instead, generated ones too. A vector that goes on over so many
    `spoken` tokens is read at the last token of what the contrast has said and at those of what it says then, and
    added at the last token of a prompt and at those of the reply.
    """

    source: Model
    target: Model
    sites: tuple[int, int]
    contrast: tuple[Contrastive, ...]
    validation: tuple[Example, ...]
    test: tuple[Example, ...]
    judging: Judging
    judges: str  # task and judges, with their versions
    positions: str | int = "trigger"
    added_at: Literal["all"] | None = None
    spoken: int = 0
    words: Callable[[str], Prompt] = Prompt  # how a user's words are put so that the undesired behaviour shows

    def check(self) -> None:
        """UserError, with the known sites, where a site is none of the model's."""
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
        """The condition that adds a vector [positions, d] to the target."""
        return Condition(name, self._doing(Add, vector), draw, strength, of_mapper)

    def everywhere(self, name: str, vector: Tensor) -> Condition:
        """The condition that adds a vector [d] at all positions of any text."""
        return Condition(name, lambda _, text: Row(text, (Add(self.sites[1], vector.float(), None),)))

    def replacing(self, name: str, vector: Tensor) -> Condition:
        """The condition that puts a vector [positions, d] in the place of the target's."""
        return Condition(name, self._doing(Replace, vector))

    @cached_property
    def places(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Which of the source's positions belong to which of the target's, both counted from the right.

        Those do that end at the same character of a prompt; where none does, they are paired from the right.
        """
        if self.spoken:
            in_order = tuple(range(-1 - self.spoken, 0))
            return in_order, in_order
        undesired = self.contrast[0][1]
        ours, theirs = (self._positions_of(model, undesired) for model in (self.source, self.target))
        pairing = align([end for _, end in ours], [end for _, end in theirs])
        if not pairing.source:
            n = min(len(ours), len(theirs))
            return tuple(range(-n, 0)), tuple(range(-n, 0))
        return tuple(i - len(ours) for i in pairing.source), tuple(i - len(theirs) for i in pairing.target)

    def _positions_of(self, model: Model, said: Turn) -> list[tuple[int, End]]:
        """The named positions of a prompt in a model, and where each ends."""
        text = turn_chat(said, model)
        where = positions_of(self.positions, text, model.tokenizer)
        assert where is not None
        all_ends = token_ends(text, model.tokenizer)
        return [(place, all_ends[place]) for place in where]

    @cached_property
    def _where(self) -> Callable[[Chat], tuple[int, ...] | None]:
        name = self.positions if self.added_at is None else self.added_at
        return cache(lambda text: positions_of(name, text, self.target.tokenizer))

    def _doing(self, kind: type[Add] | type[Replace], vector: Tensor) -> Callable[[Example, Chat], Row]:
        def row(_: Example, text: Chat) -> Row:
            if self.spoken:
                return Row(text, (self._through(kind, vector.float()),))
            where = self._where(text)
            placed = vector if where is None else paired_positions(vector, len(where))
            return Row(text, (kind(self.sites[1], placed.float(), where),))

        return row

    def _through(self, kind: type[Add] | type[Replace], vector: Tensor) -> Add | Replace:
        if kind is Replace:
            return Replace(self.sites[1], vector[:1], (-1,))
        return Add(self.sites[1], vector[:1], (-1,), generated=vector[1:])
