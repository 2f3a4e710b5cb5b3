"""What the tasks that add a vector have in common: their settings, and the experiment of a dataset's behaviour."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from pydantic import Field

from graftbench.benchmark.data.dataset import Dataset
from graftbench.benchmark.experiments.bench import Bench, Judging
from graftbench.benchmark.experiments.conditions import Draws
from graftbench.benchmark.experiments.protocol import FitData, Order, Versions
from graftbench.benchmark.experiments.steering.design import SteeringDesign
from graftbench.benchmark.experiments.steering.experiment import SteeringExperiment
from graftbench.benchmark.models.alignment import Alignment
from graftbench.benchmark.models.architectures import Sites
from graftbench.tasks.base import BaseTask, Count, PromptCounts, Variant
from graftbench.tasks.judging import Judges


class SteeringSettings(PromptCounts):
    """Settings of a suite, with the strengths and draws that are tried.

    `compared` held-out prompts are answered under full replacement, for fidelity.
    """

    vector: Count = 96
    strengths: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1)] = (0.5, 0.75, 1.0, 1.5, 2.0)
    draws: Draws = Draws()
    compared: Annotated[int, Field(ge=0)] = 0


class RemovalSettings(SteeringSettings):
    """Settings of a suite, with the steps in which an affine map is trained on the target's loss (0: none is)."""

    target_loss_steps: Annotated[int, Field(ge=0)] = 0


@dataclass(frozen=True)
class SteeringOptions:
    """Deviations from the plain experiment: other positions of the vector, another fit of mappers."""

    positions: str | int | None = None  # None: those of the behaviour
    alignment: Alignment | None = None
    fitted_at: Sites | None = None


@dataclass(frozen=True)
class SteeringTask:
    """A task with the settings of one of its cells."""

    task: BaseTask[Any]
    settings: SteeringSettings
    measures: Sequence[str]  # that decide over success
    target_loss_steps: int = 0  # in which a map is trained on the target's loss

    def experiment(
        self,
        variant: Variant,
        ordered: Order,
        dataset: Dataset,
        models: Versions,
        bench: Bench,
        options: SteeringOptions = SteeringOptions(),
    ) -> SteeringExperiment:
        """Return the experiment that adds the vector of a behaviour."""
        assert ordered.sites is not None
        name, settings = variant.name, self.settings
        judges = self.task.judges_of_cell(ordered, dataset, bench.budget)
        (version,) = variant.behaviour.versions
        design = SteeringDesign(
            models(ordered.source, version),
            models(ordered.target, version),
            ordered.sites,
            dataset.contrast(name, settings.vector).pairs,
            dataset.examples(name, "validation", settings.validation),
            dataset.examples(name, "test", settings.test),
            judging=self._judging(variant, judges),
            judges=self.task.identity(judges, *self.measures),
            words=partial(dataset.as_deployed, name),
            **places(variant, ordered, options),
        )
        fit_data = FitData(
            texts=lambda track: dataset.conversations(name, "fit", track, settings.fit),
            held_out=dataset.conversations(name, "test", "task", settings.fit // 10),
            alignment=options.alignment,
            sites=options.fitted_at,
            compared=settings.compared,
        )
        steps = self.target_loss_steps
        return SteeringExperiment(design, bench, settings.strengths, settings.draws, fit_data, target_loss_steps=steps)

    def _judging(self, variant: Variant, judges: Judges) -> Judging:
        return self.task.success(variant, judges)["test"]


def places(variant: Variant, ordered: Order, options: SteeringOptions = SteeringOptions()) -> dict[str, Any]:
    """Return where the vector is read and added: where the order says, else the options, else the behaviour."""
    position = options.positions if ordered.position is None else ordered.position
    if position is not None:
        return {"positions": position}
    behaviour = variant.behaviour
    return {
        "positions": behaviour.positions,
        "added_at": "all" if behaviour.everywhere else None,
        "spoken": behaviour.reply_tokens,
    }
