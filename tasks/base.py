"""Base class of tasks: settings read from a suite, and judges by measure."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from graftbench.benchmark.core.budget import Budget
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.files import first_error
from graftbench.benchmark.core.plugins import nearest
from graftbench.benchmark.experiments.bench import Bench, Judging
from graftbench.benchmark.experiments.protocol import Experiment, Order, Versions
from graftbench.tasks.judging import Judges, judges_of

Count = Annotated[int, Field(ge=1)]
Settings = TypeVar("Settings", bound=BaseModel)


class PromptCounts(BaseModel):
    """Numbers of prompts on validation and on test, and of conversations that mappers are fitted on."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    validation: Count = 72
    test: Count = 160
    fit: Annotated[int, Field(ge=20)] = 1000


class BaseTask(ABC, Generic[Settings]):
    """A task that is described by data; a subclass adds what success is, and the experiment of a cell."""

    name: str
    version: int
    variants: Mapping[str, tuple[str, ...]]  # with the versions of models that each needs
    chooses_sites: Collection[str] = ()  # variants that choose sites by a protocol of their own
    settings: type[Settings]
    measures: Mapping[str, str]  # each with the judge where a suite names none

    @abstractmethod
    def success(self, variant: str, judges: Judges) -> Mapping[str, Judging]:
        """Return how completions are judged, by split."""

    @abstractmethod
    def experiment(self, ordered: Order, models: Versions, bench: Bench) -> Experiment:
        """Return the experiment of one cell."""

    def judges(self, named: Mapping[str, Any]) -> dict[str, str]:
        """Return the identity of each judge by measure; UserError where a suite names one that makes no sense."""
        return self.make_judges(named).identities

    def judging(self, ordered: Order, budget: Budget | None) -> Mapping[str, Judging]:
        """Return how completions are judged in one cell, by split."""
        return self.success(ordered.variant, self.make_judges(ordered.judges, budget))

    def check(self, settings: Mapping[str, Any]) -> None:
        """UserError where a suite's settings make no sense."""
        self.read(settings)

    def read(self, settings: Mapping[str, Any]) -> Settings:
        """Parse a suite's settings; UserError where they make no sense."""
        return read_settings(self.settings, self.name, settings)

    def make_judges(self, named: Mapping[str, Any], budget: Budget | None = None) -> Judges:
        """Make the judge of each measure: the one that a suite names, or the task's default."""
        return judges_of(self.name, self.measures, named, budget)

    def identity(self, judges: Judges, *measures: str) -> str:
        """Return task, version and the judges of some measures in one line: stored verdicts depend on it."""
        return f"{self.name}/{self.version}; {judges.identity(*measures)}"


def read_settings(form: type[Settings], task: str, settings: Mapping[str, Any]) -> Settings:
    """Parse a suite's settings of a task; UserError, with the nearest known name, where they make no sense."""
    for key in settings:
        if key not in form.model_fields:
            raise UserError(f"The task {task} has no setting {key!r}.{nearest(key, sorted(form.model_fields))}")
    try:
        return form.model_validate(dict(settings))
    except ValidationError as error:
        raise UserError(f"The settings of the task {task}: {first_error(error)}.") from error
