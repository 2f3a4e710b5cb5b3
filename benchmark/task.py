"""What a task is: it makes experiments of the cells of a suite. Tasks are plugins; the engine knows none by name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from .models import Model
from .steering.setting import Bench
from .tokens import Prompt
from .vectors import Map, VectorRule

Track = Literal["task", "unseen", "general"]


@dataclass(frozen=True)
class Ordered:
    """What a suite orders of a task in one cell, the mapper aside."""

    variant: str
    source: str  # family, such as llama-s
    target: str
    sites: tuple[int, int]
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Scored:
    """What an experiment found: bits for every condition and draw, the parts of success, and every answer."""

    strength: float | None
    n_asked: int
    n_validation: int
    models: dict[str, str]  # identities of source and target
    prompt_ids: list[str]
    clusters: list[str]
    bits: dict[str, list[list[int]]]
    parts: dict[str, dict[str, float]]  # condition -> gone, good, equal to the clean answer: shares
    baseline: str  # the condition that transfer is measured from
    reasons: dict[str, str]  # why a condition or a quantity is missing
    fidelity: dict[str, float | None]
    rows: list[dict[str, Any]] = field(repr=False)


class Experiment(Protocol):
    """One ordered experiment, on models that are loaded."""

    source: Model
    target: Model
    sites: tuple[int, int]

    def prepare(self) -> None:
        """Do, and keep, what does not depend on a mapper."""

    def sweep(self) -> list[dict[str, Any]]:
        """The native intervention of the target on validation prompts, with its control, as rows."""

    def fit_texts(self, track: Track) -> Sequence[tuple[Prompt, str]]:
        """Prompts with replies of the fit split, for a mapper to be fitted on."""

    def held_out_texts(self) -> Sequence[tuple[Prompt, str]]:
        """The same of the test split, to see what a mapper makes of them."""

    def score(self, mapper: Map, rule: VectorRule) -> Scored:
        """Run the mapped conditions, and put everything together."""


class Versions(Protocol):
    """The models of a suite."""

    def __call__(self, family: str, version: str) -> Model:
        """The model of a family in one version."""


class Task(Protocol):
    """A task: its name, its version, its variants with the model version that each needs, and its experiments."""

    name: str
    version: int
    variants: Mapping[str, str]

    def judges(self, settings: Mapping[str, Any]) -> dict[str, str]:
        """The identity of each judge, by what it judges."""

    def check(self, settings: Mapping[str, Any]) -> None:
        """UserError where a suite's settings for this task make no sense."""

    def experiment(self, ordered: Ordered, models: Versions, bench: Bench) -> Experiment:
        """The experiment that a suite orders."""
