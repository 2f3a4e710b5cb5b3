"""From an entry to its file's form and back: equal values of cells become one shared value, and the reverse."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from graftbench.benchmark.results.draws import Draws
from graftbench.benchmark.results.schema import (
    SCHEMA_VERSION,
    AtStrength,
    CellResult,
    Entry,
    EntryFacts,
    ExperimentFacts,
    FitFacts,
    FitRecord,
    Missing,
    Rate,
    ShownPrompt,
    ShownReply,
    SideEffect,
    SideEffects,
)
from graftbench.benchmark.results.stored_entry import (
    Numbers,
    PromptSet,
    Shared,
    StoredCell,
    StoredEntry,
    StoredPrompt,
    StoredSideEffects,
)

Value = TypeVar("Value")


@dataclass
class _Distinct(Generic[Value]):
    """Values in the order in which they first came, each once."""

    values: list[Value] = field(default_factory=list)
    numbers: dict[Hashable, int] = field(default_factory=dict)

    def number(self, value: Value, key: Hashable) -> int:
        """Return the number of a value, which is known by its key."""
        if key not in self.numbers:
            self.numbers[key] = len(self.values)
            self.values.append(value)
        return self.numbers[key]


Form = TypeVar("Form", bound=BaseModel)


class _Forms(_Distinct[Form]):
    """Distinct values that are known by their JSON."""

    def add(self, value: Form) -> int:
        """Return the number of a value."""
        return self.number(value, value.model_dump_json())

    def add_each(self, values: Mapping[str, Form]) -> Numbers:
        """Return the numbers of some values by condition."""
        return {name: self.add(value) for name, value in values.items()}


@dataclass
class _Packer:
    """The shared values of the cells of an entry, cell by cell."""

    experiments: _Forms[ExperimentFacts] = field(default_factory=_Forms)
    prompts: _Forms[PromptSet] = field(default_factory=_Forms)
    bits: _Distinct[list[str]] = field(default_factory=_Distinct)
    rates: _Forms[Rate] = field(default_factory=_Forms)
    sweep: _Distinct[list[AtStrength]] = field(default_factory=_Distinct)
    replies: _Forms[ShownReply] = field(default_factory=_Forms)
    examples: _Forms[StoredPrompt] = field(default_factory=_Forms)
    training: _Forms[FitRecord] = field(default_factory=_Forms)
    side_effects: _Forms[SideEffect] = field(default_factory=_Forms)

    def cell(self, cell: CellResult) -> StoredCell:
        """Return a cell with the numbers of its shared values."""
        has_prompts = bool(cell.prompt_ids or cell.clusters)
        return StoredCell(
            **_fields(cell, FitFacts),
            experiment=self.experiments.add(ExperimentFacts.model_construct(**_fields(cell, ExperimentFacts))),
            prompts=self.prompts.add(PromptSet(ids=cell.prompt_ids, clusters=cell.clusters)) if has_prompts else None,
            bits={name: self._bits(draws) for name, draws in cell.bits.items()},
            rates=self.rates.add_each(cell.rates),
            sweep={name: self.sweep.number(points, _key(points)) for name, points in cell.sweep.items()},
            examples=[self._example(shown) for shown in cell.examples],
            training=None if cell.training is None else self.training.add(cell.training),
            side_effects=self._effects(cell.side_effects),
        )

    def _bits(self, draws: Draws) -> int:
        packed = Draws.of(draws)
        return self.bits.number(list(packed.strings), packed)

    def _example(self, shown: ShownPrompt) -> int:
        said = self.replies.add_each(shown.said)
        return self.examples.add(
            StoredPrompt(item=shown.item, prompt=shown.prompt, reference=shown.reference, said=said)
        )

    def _effects(self, effects: SideEffects | Missing) -> StoredSideEffects | Missing:
        if isinstance(effects, Missing):
            return effects
        stressed = effects.stressed
        return StoredSideEffects(
            deployed=self.side_effects.add_each(effects.deployed),
            stressed=stressed if isinstance(stressed, Missing) else self.side_effects.add_each(stressed),
            reasons=effects.reasons,
        )

    def shared(self) -> Shared:
        """Return all values so far."""
        return Shared(**{name: each.values for name, each in vars(self).items()})


def _key(points: Sequence[AtStrength]) -> Hashable:
    return tuple((point.strength, point.value, point.n) for point in points)


def _fields(part: BaseModel, base: type[BaseModel]) -> dict[str, Any]:
    """Return the fields that a part has from a base."""
    return {name: vars(part)[name] for name in base.model_fields}


def pack(entry: Entry) -> StoredEntry:
    """Return an entry in the form of its file, in the newest version."""
    packer = _Packer()
    cells = [packer.cell(cell) for cell in entry.cells]
    facts = _fields(entry, EntryFacts)
    return StoredEntry(schema_version=SCHEMA_VERSION, **facts, shared=packer.shared(), cells=cells)


def unpack(stored: StoredEntry) -> Entry:
    """Return the entry in a file; its cells hold the same objects where they share a value."""
    shared = stored.shared
    draws = [Draws(each) for each in shared.bits]
    shown = [_shown(example, shared.replies) for example in shared.examples]
    cells = [_cell(cell, shared, draws, shown) for cell in stored.cells]
    return Entry.model_construct(
        **_fields(stored, EntryFacts),
        schema_version=stored.schema_version,
        cells=cells,  # all of it was validated
    )


def _shown(example: StoredPrompt, replies: Sequence[ShownReply]) -> ShownPrompt:
    said = _picked(example.said, replies)
    return ShownPrompt.model_construct(item=example.item, prompt=example.prompt, reference=example.reference, said=said)


def _cell(cell: StoredCell, shared: Shared, draws: Sequence[Draws], shown: Sequence[ShownPrompt]) -> CellResult:
    prompts = _NO_PROMPTS if cell.prompts is None else shared.prompts[cell.prompts]
    return CellResult.model_construct(
        **_fields(cell, FitFacts),
        **vars(shared.experiments[cell.experiment]),
        prompt_ids=prompts.ids,
        clusters=prompts.clusters,
        bits=_picked(cell.bits, draws),
        rates=_picked(cell.rates, shared.rates),
        sweep=_picked(cell.sweep, shared.sweep),
        examples=[shown[number] for number in cell.examples],
        training=None if cell.training is None else shared.training[cell.training],
        side_effects=_effects(cell.side_effects, shared.side_effects),
    )


_NO_PROMPTS = PromptSet(ids=[], clusters=[])


def _effects(stored: StoredSideEffects | Missing, effects: Sequence[SideEffect]) -> SideEffects | Missing:
    """Return the side effects of a cell; ValueError where nothing is said of the unsteered model."""
    if isinstance(stored, Missing):
        return stored
    stressed = stored.stressed
    return SideEffects(
        deployed=_picked(stored.deployed, effects),
        stressed=stressed if isinstance(stressed, Missing) else _picked(stressed, effects),
        reasons=stored.reasons,
    )


def _picked(numbers: Numbers, values: Sequence[Value]) -> dict[str, Value]:
    return {name: values[number] for name, number in numbers.items()}
