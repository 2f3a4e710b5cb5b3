"""Figures that Oozeer et al. (2025) published, read from published.yaml."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from graftbench.benchmark.core.files import read_yaml
from graftbench.benchmark.core.names import Figure, Line, Word, split_pair

FILE = Path(__file__).with_name("published.yaml")
Condition = Literal["unsteered", "native", "mapped", "random", "replacement", "mean_ablated"]
OF_MAPPER = ("mapped", "replacement", "mean_ablated")  # the last is measured anew beside each mapper


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Source(_Form):
    """Where a figure stands: one of the file's sources, and the table, section or text of it."""

    of: Word
    at: Line


class Here(_Form):
    """The figure of a cell that is set beside a published one.

    `part` is a part of success (`gone`, or `shown`, its opposite), `mark` a further verdict, `fidelity` a figure of
    that name, `perplexity` that of a corpus, `documents` a metric of an lm-eval task. `unit` is named where it is
    another than the paper's.
    """

    of: Literal["part", "mark", "fidelity", "perplexity", "documents"]
    name: Word
    metric: str = ""
    unit: str = ""


class Measure(_Form):
    """What is measured, and in which unit; `note` says how the figure of ours differs."""

    title: Line
    unit: Word
    here: Here | None = None
    comparable: Literal["roughly", "no"] = "no"
    note: str = ""


class Values(_Form):
    """The values of one measure by condition; `where` are the prompts or the layer."""

    measure: Word
    where: str = ""
    values: Annotated[dict[Condition, Figure], Field(min_length=1)]
    n: Annotated[int, Field(ge=1)] | None = None
    source: Source | None = None  # None: that of the group
    note: str = ""


class Group(_Form):
    """Figures of one behaviour on one pair of models or one model, with one mapper and from one source.

    `variants` are the variants of our task that correspond to it; `n` is the number of completions or texts, where it
    is known.
    """

    task: Word
    variants: Annotated[tuple[Word, ...], Field(min_length=1)]
    pair: Word | None = None
    model: Word | None = None
    mapper: Literal["autoencoder_paper", "affine_paper"] | None = None
    n: Annotated[int, Field(ge=1)] | None = None
    source: Source
    note: str = ""
    figures: Annotated[tuple[Values, ...], Field(min_length=1)]

    @property
    def models(self) -> tuple[str, ...]:
        """Source and target, or the one model."""
        return split_pair(self.pair) if self.pair else (self.model or "",)

    @model_validator(mode="after")
    def _of_models(self) -> Self:
        if (self.pair is None) == (self.model is None):
            raise ValueError("a group is of a `pair` or of a `model`")
        mapped = [condition for each in self.figures for condition in each.values if condition in OF_MAPPER]
        if mapped and self.mapper is None:
            raise ValueError(f"a figure under {mapped[0]} needs the `mapper` of its group")
        return self


@dataclass(frozen=True)
class PublishedFigure:
    """One published value, with all that belongs to it; `model` is None for a figure of a pair, and the reverse."""

    task: str
    variants: tuple[str, ...]
    pair: str | None
    model: str | None
    mapper: str
    measure: str
    condition: Condition
    where: str
    value: float
    n: int | None
    source: Source
    notes: tuple[str, ...]

    @property
    def models(self) -> str:
        """The pair, or the model, by short names."""
        return self.pair or self.model or ""

    def is_of(self, task: str, variant: str, source: str | None, target: str | None) -> bool:
        """Return whether it is a figure of a cell, whose models are given by short names."""
        models = self.model == target if self.pair is None else self.pair == f"{source}->{target}"
        return models and self.task == task and variant in self.variants


class Published(_Form):
    """What published.yaml holds."""

    title: Line
    edition: Line
    sources: dict[Word, Line]
    caveats: tuple[str, ...]
    models: dict[Word, tuple[Word, ...]]
    measures: dict[Word, Measure]
    groups: tuple[Group, ...]

    @model_validator(mode="after")
    def _all_named(self) -> Self:
        """Require that models, measures and sources of all groups are known, and no id stands for two models."""
        ids = [each.casefold() for each in chain(*self.models.values())]
        figures = [each for group in self.groups for each in group.figures]
        sources = [group.source for group in self.groups] + [each.source for each in figures if each.source]
        unknown = [name for group in self.groups for name in group.models if name not in self.models]
        unknown += [each.measure for each in figures if each.measure not in self.measures]
        unknown += [source.of for source in sources if source.of not in self.sources]
        if unknown:
            raise ValueError(f"{unknown[0]} is not explained in the file")
        if len(set(ids)) < len(ids):
            raise ValueError("an id stands for two models")
        return self

    @property
    def figures(self) -> Iterator[PublishedFigure]:
        """Every value with its group's data."""
        for group in self.groups:
            for each in group.figures:
                yield from self._figures(group, each)

    def _figures(self, group: Group, each: Values) -> Iterator[PublishedFigure]:
        notes = (self.measures[each.measure].note, group.note, each.note)
        for condition, value in each.values.items():
            yield PublishedFigure(
                task=group.task,
                variants=group.variants,
                pair=group.pair,
                model=group.model,
                mapper=group.mapper if group.mapper and condition in OF_MAPPER else condition,
                measure=each.measure,
                condition=condition,
                where=each.where,
                value=value,
                n=each.n or group.n,
                source=each.source or group.source,
                notes=tuple(filter(None, notes)),
            )


@cache
def published() -> Published:
    """Return the published figures."""
    return read_yaml(FILE, Published, "published figures")[0]
