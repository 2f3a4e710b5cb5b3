"""Protocols of tasks and experiments. Tasks are plugins: the engine knows none by name."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from graftbench.benchmark.core.budget import Budget
from graftbench.benchmark.data.dataset import Behaviour, Dataset
from graftbench.benchmark.data.examples import Conversations, Example, Prompt, TextTrack
from graftbench.benchmark.experiments.bench import Bench, Judging
from graftbench.benchmark.interventions.conditions import Condition
from graftbench.benchmark.mappers.protocol import FittedMapper
from graftbench.benchmark.models.alignment import Alignment
from graftbench.benchmark.models.architectures import Sites
from graftbench.benchmark.models.handle import ModelHandle
from graftbench.benchmark.models.tokens import Position
from graftbench.benchmark.results.rows import Answer
from graftbench.benchmark.results.summary import Summary

OWN = "own"  # among swept positions: the experiment's own, where no one name describes them


@dataclass(frozen=True)
class Order:
    """One cell as a suite orders it of a task, apart from the mapper."""

    variant: str
    source: str  # family, such as llama-s
    target: str
    sites: Sites | None  # None where the task chooses them
    settings: Mapping[str, Any]
    judges: Mapping[str, Any] = field(default_factory=dict)  # by measure, instead of the task's own
    position: Position = None  # instead of the task's own, in a sweep over positions


@dataclass(frozen=True)
class Scored:
    """The result of an experiment with one mapper."""

    summary: Summary
    baseline: str  # the condition that transfer is measured from
    strength: float | None
    n_asked: int
    n_validation: int
    models: dict[str, str]  # identities of source and target
    reasons: dict[str, str]  # condition -> why it is missing
    fidelity: dict[str, float | None]
    positions: tuple[Position, Position]  # where the vector is read in source and target
    measures: dict[str, dict[str, float | None]] = field(
        default_factory=dict
    )  # condition -> measure -> value, reported with the rates
    seconds: dict[str, float] = field(default_factory=dict)  # of training and copying, when they were done


@dataclass(frozen=True)
class SweepPoint:
    """The native intervention and a control at one site and position, as rows of answers on validation prompts.

    `choose`: the site that a suite should take among those that are good enough.
    """

    rows: list[dict[str, Any]] = field(repr=False)
    control: str  # condition that native is compared with
    choose: Literal["last", "first", "own"]
    own: int | None = None  # site or position that the task chooses by its own protocol


@dataclass(frozen=True, eq=False)
class FitData:
    """Texts that mappers are fitted on in an experiment, and texts to test the fit on."""

    texts: Callable[[TextTrack], Conversations]  # of the fit split
    held_out: Conversations  # of a split that no mapper is fitted on
    alignment: Alignment | None = None  # of the tokens of two models; None: the suite's
    sites: Sites | None = None  # of the fit; None: those of the experiment
    further: tuple[Sites, ...] = ()  # further sites at which a mapper is fitted
    compared: int = 0  # number of held-out prompts for the fidelity of full replacement


@dataclass(frozen=True, eq=False)
class AnyText:
    """Each condition's interventions in a form that works on any text, for measuring side effects.

    `words` phrases a user's words so that the behaviour shows, with its trigger. `stressed` acts at all positions of
    texts without a trigger; None where `deployed` does so already. A condition may have several draws.
    """

    model: ModelHandle
    words: Callable[[str], Prompt]
    deployed: Mapping[str, Sequence[Condition]]
    stressed: Mapping[str, Sequence[Condition]] | None


class Experiment(Protocol):
    """One cell, apart from the mapper; its models are loaded when they are run."""

    @property
    def source(self) -> ModelHandle:
        """The model that the mapper reads."""

    @property
    def target(self) -> ModelHandle:
        """The model whose activations the mapper predicts."""

    @property
    def sites(self) -> Sites | None:
        """Sites of source and target; None where there is nothing to map."""

    @property
    def fit_data(self) -> FitData:
        """Texts that mappers are fitted on."""

    @property
    def positions(self) -> Sequence[Position]:
        """Positions that a sweep may try, the experiment's own among them."""

    @property
    def test(self) -> Sequence[Example]:
        """The test prompts."""

    @property
    def baseline(self) -> str:
        """The condition that transfer is measured from."""

    def reference(self) -> Sequence[Answer]:
        """Run and cache all conditions that do not involve the mapper."""

    def sweep(self) -> SweepPoint:
        """Run the target's native intervention on validation prompts, at the ordered site and position."""

    def score(self, mapper: FittedMapper | None) -> Scored:
        """Run the mapped conditions and return the result of the experiment; None where there are no sites."""

    def on_any_text(self, mapper: FittedMapper | None, draws: int) -> AnyText:
        """Return native, mapped and `draws` random interventions, and full replacement, for any text.

        Without a mapper only those that do not depend on one.
        """


class Versions(Protocol):
    """The models of a suite."""

    def __call__(self, family: str, version: str) -> ModelHandle:
        """Return the model of a family in one version."""


class TaskVariant(Protocol):
    """A variant of a task: a behaviour of a dataset, and what is done about it."""

    @property
    def name(self) -> str:
        """The behaviour's name."""

    @property
    def behaviour(self) -> Behaviour:
        """The behaviour, with the versions of a model that it needs."""

    @property
    def needs_judge(self) -> bool:
        """True where replies are judged, and no judge of them is usual."""


class Task(Protocol):
    """A task: what is contrasted and done, under which conditions, and what success is. It has no prompts."""

    name: str
    version: int

    def variants(self, dataset: Dataset) -> Mapping[str, TaskVariant]:
        """Return the variants that a dataset can fill."""

    def chooses_sites(self, variant: str, dataset: Dataset) -> bool:
        """Return whether a variant chooses its sites by a protocol of its own: a suite leaves them out then."""

    def judges(self, named: Mapping[str, Any], dataset: Dataset, variants: Collection[str] = ()) -> dict[str, str]:
        """Return the identity of each judge by measure, for a suite with cells of some variants.

        UserError where those that the suite names make no sense.
        """

    def judging(self, ordered: Order, dataset: Dataset, budget: Budget | None) -> Mapping[str, Judging]:
        """Return by split how completions are judged in the ordered experiment."""

    def check(self, settings: Mapping[str, Any]) -> None:
        """Raise UserError where a suite's settings for this task make no sense."""

    def experiment(self, ordered: Order, dataset: Dataset, models: Versions, bench: Bench) -> Experiment:
        """Return the ordered experiment."""
