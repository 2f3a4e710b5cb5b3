"""Behaviour steering: a vector makes replies that show a behaviour likelier than replies that do not.

It needs no fine-tuned model and no judge. The vector is a difference in means: between the same prompts under two
instructions, added at every token of plain prompts, or between the same question with two answers, read and added where
the answer is (Contrastive Activation Addition: Rimsky et al., 2024).
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from graftbench.benchmark.core.budget import Budget
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.dataset import Dataset
from graftbench.benchmark.experiments.bench import Bench, Judging
from graftbench.benchmark.experiments.propensity.design import PropensityDesign
from graftbench.benchmark.experiments.propensity.experiment import PropensityExperiment
from graftbench.benchmark.experiments.protocol import FitData, Order, Versions
from graftbench.tasks.base import BaseTask, Variant
from graftbench.tasks.judging import Judges
from graftbench.tasks.steering import SteeringSettings, places


class BehaviourSteering(BaseTask[SteeringSettings]):
    """Steering towards each behaviour of a dataset of the kind `steering`."""

    name = "behaviour_steering"
    version = 1
    kinds = ("steering",)
    settings = SteeringSettings

    def variants(self, dataset: Dataset) -> Mapping[str, Variant]:
        """Return the behaviours of a dataset that can be steered to."""
        return {name: Variant(name, behaviour) for name, behaviour in self.behaviours(dataset).items()}

    def success(self, variant: Variant, judges: Judges) -> Mapping[str, Judging]:  # noqa: ARG002 - nothing is judged
        """Judge nothing: success is read from likelihoods."""
        return {}

    def measures(self, dataset: Dataset) -> dict[str, Any]:  # noqa: ARG002 - as above
        """Return no measure: nothing is judged."""
        return {}

    def make_judges(self, named: Mapping[str, Any], dataset: Dataset, budget: Budget | None = None) -> Judges:
        """Return no judges; UserError where a suite names one."""
        if named:
            raise UserError(
                f"The task {self.name} reads likelihoods and judges nothing: leave out the judge of {min(named)!r}."
            )
        return super().make_judges(named, dataset, budget)

    def experiment(self, ordered: Order, dataset: Dataset, models: Versions, bench: Bench) -> PropensityExperiment:
        """Return the experiment of one cell."""
        assert ordered.sites is not None
        variant, settings = self.variants(dataset)[ordered.variant], self.read(ordered.settings)
        name, (version,) = variant.name, variant.behaviour.versions
        design = PropensityDesign(
            models(ordered.source, version),
            models(ordered.target, version),
            ordered.sites,
            dataset.contrast(name, settings.vector).pairs,
            dataset.examples(name, "validation", settings.validation),
            dataset.examples(name, "test", settings.test),
            words=partial(dataset.as_deployed, name),
            task=f"{self.name}/{self.version}",
            **places(variant, ordered),
        )
        fit_data = FitData(
            texts=lambda track: dataset.conversations(name, "fit", track, settings.fit),
            held_out=dataset.conversations(name, "test", "task", settings.fit // 10),
            compared=settings.compared,
        )
        return PropensityExperiment(design, bench, settings.strengths, settings.draws, fit_data)
