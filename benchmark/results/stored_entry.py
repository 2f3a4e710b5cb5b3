"""The file of an entry: a public format, in which a value that several cells have is written once.

Tracks and seeds of one experiment have the same prompts, and every condition without a mapper has the same bits, rates
and side effects in them. All such values stand in the lists of `shared`, and a cell refers to one by its number there,
from 0.
"""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from graftbench.benchmark.core.names import MAX_COUNT, Line, Word
from graftbench.benchmark.results.schema import (
    NOT_MEASURED,
    AtStrength,
    EntryFacts,
    ExperimentFacts,
    FitFacts,
    FitRecord,
    Missing,
    Part,
    Rate,
    ShownReply,
    SideEffect,
)

MAX_BITS = 2**27  # of all cells, each counted as often as a cell refers to it: they have to be resampled, too
Number = Annotated[int, Field(ge=0, le=MAX_COUNT)]  # of a value in a list of `shared`
Numbers = dict[Word, Number]  # by condition
BitString = Annotated[str, StringConstraints(pattern="^[01]*$")]  # a 0 or a 1 for each prompt, in one draw


class PromptSet(Part):
    """The test prompts of a cell, and the cluster of each."""

    ids: list[Word]
    clusters: list[str]


class StoredPrompt(Part):
    """One test prompt that is shown; `said` has the number of the reply under each condition."""

    item: Word
    prompt: str
    reference: str | None
    said: Numbers


class Shared(Part):
    """Values that cells refer to by their number; `bits` of a condition are a string for each draw."""

    experiments: list[ExperimentFacts]
    prompts: list[PromptSet]
    bits: list[list[BitString]]
    rates: list[Rate]
    sweep: list[list[AtStrength]]
    replies: list[ShownReply]
    examples: list[StoredPrompt]
    training: list[FitRecord]
    side_effects: list[SideEffect]


class StoredSideEffects(Part):
    """Side effects by setting and condition, as numbers; `reasons` say why a condition is missing."""

    deployed: Numbers
    stressed: Numbers | Missing
    reasons: dict[Word, Line]


class StoredCell(FitFacts):
    """A cell with the numbers of its shared values."""

    experiment: Number
    bits: Numbers
    rates: Numbers
    sweep: Numbers
    examples: list[Number]
    prompts: Number | None = None
    training: Number | None = None
    side_effects: StoredSideEffects | Missing = NOT_MEASURED


class StoredEntry(EntryFacts):
    """Results of one mapper on one suite."""

    schema_version: Literal[4]
    shared: Shared
    cells: list[StoredCell]

    @model_validator(mode="after")
    def _refers_to_what_is_there(self) -> Self:
        for kind, numbers, there in self._references():
            highest = max(numbers, default=-1)
            if highest >= there:
                raise ValueError(f"a cell refers to number {highest} of the shared {kind}, and there are {there}")
        sizes = [sum(map(len, draws)) for draws in self.shared.bits]
        if sum(sizes[number] for cell in self.cells for number in cell.bits.values()) > MAX_BITS:
            raise ValueError(f"its cells have more than the {MAX_BITS} bits that they may have")
        return self

    def _references(self) -> Iterator[tuple[str, Iterable[int], int]]:
        """Yield each kind of shared values, the numbers that are referred to, and how many there are."""
        shared, cells = self.shared, self.cells
        yield "experiments", (cell.experiment for cell in cells), len(shared.experiments)
        yield "prompts", (cell.prompts for cell in cells if cell.prompts is not None), len(shared.prompts)
        yield "bits", chain.from_iterable(cell.bits.values() for cell in cells), len(shared.bits)
        yield "rates", chain.from_iterable(cell.rates.values() for cell in cells), len(shared.rates)
        yield "sweep", chain.from_iterable(cell.sweep.values() for cell in cells), len(shared.sweep)
        yield "replies", chain.from_iterable(shown.said.values() for shown in shared.examples), len(shared.replies)
        yield "examples", chain.from_iterable(cell.examples for cell in cells), len(shared.examples)
        yield "training", (cell.training for cell in cells if cell.training is not None), len(shared.training)
        yield "side_effects", chain.from_iterable(map(_of_effects, cells)), len(shared.side_effects)


def _of_effects(cell: StoredCell) -> Iterator[int]:
    if isinstance(effects := cell.side_effects, StoredSideEffects):
        yield from effects.deployed.values()
        if not isinstance(effects.stressed, Missing):
            yield from effects.stressed.values()
