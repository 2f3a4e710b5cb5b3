"""The common part of all experiments: models of the design, and a reference that is computed once for all mappers."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Generic, Protocol, TypeVar

from graftbench.benchmark.core.budget import Budget
from graftbench.benchmark.core.store import Store
from graftbench.benchmark.data.examples import Example
from graftbench.benchmark.experiments.protocol import FitData
from graftbench.benchmark.interventions.completions import completions
from graftbench.benchmark.interventions.conditions import Row
from graftbench.benchmark.interventions.generation import Completion
from graftbench.benchmark.models.load import Model
from graftbench.benchmark.results.answers import Answer

Progress = Callable[[str, int, int], None]  # label, rows done, rows in all


@dataclass(frozen=True, eq=False)
class Bench:
    """Cache, batch size, length of replies and progress reports of an experiment; `budget` is what judges may spend."""

    store: Store
    batch_size: int
    max_new_tokens: int
    progress: Progress
    budget: Budget | None = None

    def run(self, model: Model, rows: Sequence[Row], label: str) -> list[str]:
        """Return the reply to each row, stripped of white space. FloatingPointError where a logit is not finite."""
        n_done = 0

        def report(n: int) -> None:
            nonlocal n_done
            n_done += n
            self.progress(label, n_done, len(rows))

        replies = completions(
            self.store, model, rows, max_new_tokens=self.max_new_tokens, batch_size=self.batch_size, progress=report
        )
        return [_finite_text(completion, model, label) for completion in replies]


def _finite_text(completion: Completion, model: Model, label: str) -> str:
    if not completion.finite:
        raise FloatingPointError(f"{model.name} gave logits that are not finite ({label})")
    return completion.text.strip()


class Design(Protocol):
    """Models, prompts and judges of an experiment."""

    @property
    def source(self) -> Model:
        """The model that the mapper reads."""

    @property
    def target(self) -> Model:
        """The model whose activations the mapper predicts."""


class Reference(Protocol):
    """The results of an experiment that do not depend on the mapper."""

    @property
    def answers(self) -> tuple[Answer, ...]:
        """Answers under every condition that no mapper has a part in."""


DesignT = TypeVar("DesignT", bound=Design)
ReferenceT = TypeVar("ReferenceT", bound=Reference)


class ExperimentBase(ABC, Generic[DesignT, ReferenceT]):
    """An experiment of one design; subclasses are dataclasses with these fields."""

    design: DesignT
    bench: Bench
    fit_data: FitData
    seed: int

    @property
    def source(self) -> Model:
        """The model that the mapper reads."""
        return self.design.source

    @property
    def target(self) -> Model:
        """The model whose activations the mapper predicts."""
        return self.design.target

    @cached_property
    def reference_data(self) -> ReferenceT:
        """Everything that does not depend on the mapper."""
        return self._make_reference()

    def reference(self) -> tuple[Answer, ...]:
        """Run and cache every condition that no mapper has a part in."""
        return self.reference_data.answers

    @abstractmethod
    def _make_reference(self) -> ReferenceT:
        """Return the reference, from the cache where it is there."""


@dataclass(frozen=True)
class Outcome:
    """The verdict on a completion: whether the behaviour is gone and the answer good; None where unscored.

    `marks` are further scores, reported with success as shares or means; `unscored` has the reason for each that is
    None. `took` is what the judges took: tokens read, tokens written, and dollars, None without known prices.
    """

    gone: bool | None
    good: bool | None
    reason: str = ""
    marks: Mapping[str, float | None] = field(default_factory=dict)
    unscored: Mapping[str, str] = field(default_factory=dict)
    took: tuple[int, int, float | None] = (0, 0, 0.0)

    @property
    def success(self) -> bool | None:
        """True where the behaviour is gone and the answer good; None where either is unscored."""
        return None if self.gone is None or self.good is None else self.gone and self.good


Judging = Callable[[Sequence[Example], Sequence[str]], list[Outcome]]
