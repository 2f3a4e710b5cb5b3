"""Base class of tasks: settings read from a suite, behaviours of a dataset, and judges by measure."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from graftbench.benchmark.core.budget import Budget
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.files import first_error
from graftbench.benchmark.core.plugins import nearest
from graftbench.benchmark.data.dataset import Behaviour, Dataset
from graftbench.benchmark.experiments.bench import Bench, Judging
from graftbench.benchmark.experiments.protocol import Experiment, Order, Versions
from graftbench.tasks.judging import Judges, judges_of

Count = Annotated[int, Field(ge=1)]
Settings = TypeVar("Settings", bound=BaseModel)

# The judge of a measure where neither a dataset nor a suite names one.
USUAL_JUDGES: Mapping[str, str] = {
    "insult": "phrase",
    "weakness": "weakness",
    "refused": "refusal",
    "well_refused": "refusal",
    "ignorance": "ignorance",
    "good": "like_clean",
}
# Instead, for one kind of behaviour: nothing brings a model to a clean answer to a harmful prompt, and two good answers
# in one style may have few words in common.
USUAL_JUDGES_OF_KIND: Mapping[tuple[str, str], str] = {("refusal", "good"): "intact", ("steering", "good"): "intact"}
# Measures that a kind of behaviour needs besides those that the behaviour names.
MORE_MEASURES: Mapping[str, tuple[str, ...]] = {"refusal": ("well_refused",), "hidden_fact": ("ignorance",)}


class PromptCounts(BaseModel):
    """Numbers of prompts on validation and on test, and of conversations that mappers are fitted on."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    validation: Count = 72
    test: Count = 160
    fit: Annotated[int, Field(ge=20)] = 1000


@dataclass(frozen=True)
class Variant:
    """A behaviour of a dataset by name, and `how` it is treated, which the task itself reads.

    `needs_judge`: no judge of it is usual, so that somebody has to name one.
    """

    name: str
    behaviour: Behaviour
    how: Any = None
    needs_judge: bool = False


class BaseTask(ABC, Generic[Settings]):
    """A task that is described by data; a subclass adds its variants, what success is, and the experiment of a cell."""

    name: str
    version: int
    kinds: Collection[str]  # of behaviours
    settings: type[Settings]

    def behaviours(self, dataset: Dataset) -> dict[str, Behaviour]:
        """Return the behaviours of a dataset that are of this task's kinds."""
        return {name: each for name, each in dataset.behaviours.items() if each.kind in self.kinds}

    @abstractmethod
    def variants(self, dataset: Dataset) -> Mapping[str, Variant]:
        """Return the variants that a dataset can fill."""

    def chooses_sites(self, variant: str, dataset: Dataset) -> bool:  # noqa: ARG002 - most never do
        """Return whether a variant chooses its sites by a protocol of its own."""
        return False

    @abstractmethod
    def success(self, variant: Variant, judges: Judges) -> Mapping[str, Judging]:
        """Return how completions are judged, by split."""

    @abstractmethod
    def experiment(self, ordered: Order, dataset: Dataset, models: Versions, bench: Bench) -> Experiment:
        """Return the experiment of one cell."""

    def judges(
        self,
        named: Mapping[str, Any],
        dataset: Dataset,
        variants: Collection[str] = (),  # noqa: ARG002 - most judge all measures of a dataset
    ) -> dict[str, str]:
        """Return the identity of each judge by measure; UserError where a suite names one that makes no sense."""
        return self.make_judges(named, dataset).identities

    def judging(self, ordered: Order, dataset: Dataset, budget: Budget | None) -> Mapping[str, Judging]:
        """Return how completions are judged in one cell, by split."""
        variant = self.variants(dataset)[ordered.variant]
        return self.success(variant, self.judges_of_cell(ordered, dataset, budget))

    def check(self, settings: Mapping[str, Any]) -> None:
        """UserError where a suite's settings make no sense."""
        self.read(settings)

    def read(self, settings: Mapping[str, Any]) -> Settings:
        """Parse a suite's settings; UserError where they make no sense."""
        return read_settings(self.settings, self.name, settings)

    def measures(self, dataset: Dataset) -> dict[str, Any]:
        """Return the measures of a dataset's behaviours, each with its judge where a suite names none.

        The judge is None where nobody has named one.
        """
        behaviours = self.behaviours(dataset).values()
        named = [(name, each.kind) for each in behaviours for name in (each.shown_by, each.answered_by)]
        named += [(name, each.kind) for each in behaviours for name in MORE_MEASURES.get(each.kind, ())]
        kinds: dict[str, list[str]] = {}
        for name, kind in named:
            kinds.setdefault(name, []).append(kind)
        return {name: dataset.judges.get(name, usual_judge(name, of)) for name, of in kinds.items()}

    def make_judges(self, named: Mapping[str, Any], dataset: Dataset, budget: Budget | None = None) -> Judges:
        """Make the judge of each measure: the one that a suite names, else the dataset's, else the usual one.

        UserError where a measure is left without a judge.
        """
        measures = self.measures(dataset)
        for measure, judge in measures.items():
            if judge is None and measure not in named:
                raise UserError(
                    f"Nobody judges {measure!r} of the dataset {dataset.name} in the task {self.name}: name a judge "
                    "under `judges`, in the suite or in the dataset."
                )
        return judges_of(self.name, measures, named, budget)

    def judges_of_cell(self, ordered: Order, dataset: Dataset, budget: Budget | None = None) -> Judges:
        """Make the judge of each measure in one cell."""
        return self.make_judges(ordered.judges, dataset, budget)

    def identity(self, judges: Judges, *measures: str) -> str:
        """Return task, version and the judges of some measures in one line: stored verdicts depend on it."""
        return f"{self.name}/{self.version}; {judges.identity(*measures)}"


def usual_judge(measure: str, kinds: Collection[str]) -> str | None:
    """Return the usual judge of a measure for some kinds of behaviour; None where there is no one judge for all."""
    judges = {USUAL_JUDGES_OF_KIND.get((kind, measure), USUAL_JUDGES.get(measure)) for kind in kinds}
    return judges.pop() if len(judges) == 1 else None


def read_settings(form: type[Settings], task: str, settings: Mapping[str, Any]) -> Settings:
    """Parse a suite's settings of a task; UserError, with the nearest known name, where they make no sense."""
    for key in settings:
        if key not in form.model_fields:
            raise UserError(f"The task {task} has no setting {key!r}.{nearest(key, sorted(form.model_fields))}")
    try:
        return form.model_validate(dict(settings))
    except ValidationError as error:
        raise UserError(f"The settings of the task {task}: {first_error(error)}.") from error
