"""What a task is: it makes experiments of the cells of a suite. Tasks are plugins; the engine knows none by name."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from graftbench.benchmark.core.budget import Budget
from graftbench.benchmark.data.examples import Conversations, Prompt, Track
from graftbench.benchmark.experiments.bench import Bench
from graftbench.benchmark.experiments.judging import Judging
from graftbench.benchmark.interventions.conditions import Condition
from graftbench.benchmark.mappers.protocol import FittedMapper
from graftbench.benchmark.models.alignment import Alignment
from graftbench.benchmark.models.architectures import Sites
from graftbench.benchmark.models.load import Model
from graftbench.benchmark.models.tokens import Position
from graftbench.benchmark.results.answers import Answer
from graftbench.benchmark.results.summary import Summary

OWN = "own"  # among positions that are swept: the experiment as it is, where no one name says where it acts


@dataclass(frozen=True)
class Order:
    """What a suite orders of a task in one cell, the mapper aside."""

    variant: str
    source: str  # family, such as llama-s
    target: str
    sites: Sites | None  # None where the task chooses them
    settings: Mapping[str, Any]
    judges: Mapping[str, Any] = field(default_factory=dict)  # by measure, where they are not the task's own
    position: Position = None  # instead of the task's own, where positions are swept


@dataclass(frozen=True)
class Scored:
    """What an experiment found: what the answers come to, and what is known beside them."""

    summary: Summary
    baseline: str  # the condition that transfer is measured from
    strength: float | None
    n_asked: int
    n_validation: int
    models: dict[str, str]  # identities of source and target
    reasons: dict[str, str]  # why a condition is missing
    fidelity: dict[str, float | None]
    positions: tuple[Position, Position]  # where the vector is read in source and target
    measures: dict[str, dict[str, float | None]] = field(default_factory=dict)  # condition -> what is reported beside
    seconds: dict[str, float] = field(default_factory=dict)  # what took how long, when it was done


@dataclass(frozen=True)
class SweepPoint:
    """The native intervention at one site and position, as rows of answers on validation prompts beside a control.

    `choose` says which of the sites that are good enough a suite should take.
    """

    rows: list[dict[str, Any]] = field(repr=False)
    control: str  # the condition that native is compared with
    choose: Literal["last", "first", "own"]
    own: int | None = None  # the site, or the position, that the task chooses by a protocol of its own


@dataclass(frozen=True, eq=False)
class FitData:
    """What mappers are fitted on in an experiment, and what they are tried on beside it."""

    texts: Callable[[Track], Conversations]  # of the fit split
    held_out: Conversations  # of a split that no mapper is fitted on
    alignment: Alignment | None = None  # how tokens of two models are paired; None: as the suite says
    sites: Sites | None = None  # where they are fitted; None: where they are used
    further: tuple[Sites, ...] = ()  # other sites at which a mapper is fitted, too
    compared: int = 0  # on how many held-out prompts the target is compared with itself under replacement


@dataclass(frozen=True, eq=False)
class AnyText:
    """What is done to a model on texts of any kind, by condition, in one way or in several, so that its cost is seen.

    In `words` a user's words are put so that the behaviour shows, with a trigger where there is one. `stressed` is what
    is done at all positions of texts without it; None where `deployed` does that already.
    """

    model: Model
    words: Callable[[str], Prompt]
    deployed: Mapping[str, Sequence[Condition]]
    stressed: Mapping[str, Sequence[Condition]] | None


class Experiment(Protocol):
    """One ordered experiment, on models that are loaded."""

    source: Model
    target: Model

    @property
    def sites(self) -> Sites | None:
        """The site in each; None where the experiment has found that nothing can be carried across."""

    @property
    def fit(self) -> FitData:
        """What mappers are fitted on."""

    @property
    def positions(self) -> Sequence[Position]:
        """The positions at which the intervention may be tried, its own among them."""

    def prepare(self) -> Sequence[Answer]:
        """Do, and keep, what does not depend on a mapper; gives its answers."""

    def sweep(self) -> SweepPoint:
        """The native intervention of the target, at the site and position that were ordered."""

    def score(self, carrier: FittedMapper | None) -> Scored:
        """Run the mapped conditions, and put everything together; None where there are no sites."""

    def on_any_text(self, carrier: FittedMapper, draws: int) -> AnyText:
        """What native, mapped and so many random interventions, and full replacement, do on any text."""


class Versions(Protocol):
    """The models of a suite."""

    def __call__(self, family: str, version: str) -> Model:
        """The model of a family in one version."""


class Task(Protocol):
    """A task: its name, its version, its variants with the model versions that each needs, and its experiments."""

    name: str
    version: int
    variants: Mapping[str, tuple[str, ...]]
    chooses_sites: Collection[str]  # the variants that do so by a protocol of their own: a suite leaves them out

    def judges(self, named: Mapping[str, Any]) -> dict[str, str]:
        """The identity of each judge, by what it judges; UserError where those that a suite names make no sense."""

    def judging(self, ordered: Order, budget: Budget | None) -> Mapping[str, Judging]:
        """How completions are judged in the experiment that a suite orders, by split."""

    def check(self, settings: Mapping[str, Any]) -> None:
        """UserError where a suite's settings for this task make no sense."""

    def experiment(self, ordered: Order, models: Versions, bench: Bench) -> Experiment:
        """The experiment that a suite orders."""
