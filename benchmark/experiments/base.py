"""The common part of all experiments: models of the design, and a reference that is computed once for all mappers."""

from abc import ABC, abstractmethod
from functools import cached_property
from typing import Generic, Protocol, TypeVar

from graftbench.benchmark.data.examples import Example
from graftbench.benchmark.experiments.bench import Bench
from graftbench.benchmark.experiments.protocol import FitData
from graftbench.benchmark.models.handle import ModelHandle
from graftbench.benchmark.results.rows import Answer


class Design(Protocol):
    """Models, prompts and judges of an experiment."""

    @property
    def source(self) -> ModelHandle:
        """The model that the mapper reads."""

    @property
    def target(self) -> ModelHandle:
        """The model whose activations the mapper predicts."""

    @property
    def test(self) -> tuple[Example, ...]:
        """The test prompts."""


class Reference(Protocol):
    """The results of an experiment that do not depend on the mapper."""

    @property
    def answers(self) -> tuple[Answer, ...]:
        """Answers under all conditions that do not involve the mapper."""


DesignT = TypeVar("DesignT", bound=Design)
ReferenceT = TypeVar("ReferenceT", bound=Reference)


class ExperimentBase(ABC, Generic[DesignT, ReferenceT]):
    """An experiment of one design; subclasses are dataclasses with these fields."""

    design: DesignT
    bench: Bench
    fit_data: FitData
    seed: int

    @property
    def source(self) -> ModelHandle:
        """The model that the mapper reads."""
        return self.design.source

    @property
    def target(self) -> ModelHandle:
        """The model whose activations the mapper predicts."""
        return self.design.target

    @property
    def test(self) -> tuple[Example, ...]:
        """The test prompts."""
        return self.design.test

    @property
    def baseline(self) -> str:
        """The condition that transfer is measured from."""
        return "random"

    @cached_property
    def reference_data(self) -> ReferenceT:
        """Everything that does not depend on the mapper."""
        return self._make_reference()

    def reference(self) -> tuple[Answer, ...]:
        """Run and cache all conditions that do not involve the mapper."""
        return self.reference_data.answers

    @abstractmethod
    def _make_reference(self) -> ReferenceT:
        """Return the reference, from the cache where it is there."""
