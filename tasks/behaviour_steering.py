"""Behaviour steering: a vector makes a model show a behaviour, such as a tone or a language.

It needs no fine-tuned model. The vector is a difference in means: between the same prompts under two instructions,
added at every token of plain prompts, or between the same question with two answers, read and added where the answer is
(Contrastive Activation Addition: Rimsky et al., 2024).

A variant that is named like its behaviour judges nothing. Success: a reply that shows the behaviour becomes likelier
than one that does not. `_open` lets the model reply (Oozeer et al., 2025, appendix I). Success: a judge finds the
behaviour in the reply, and the reply is good. The clean counterpart of a prompt asks for the behaviour in words.
"""

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

from graftbench.benchmark.core.budget import Budget
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.dataset import Dataset
from graftbench.benchmark.experiments.bench import Bench, Judging
from graftbench.benchmark.experiments.propensity.design import PropensityDesign
from graftbench.benchmark.experiments.propensity.experiment import PropensityExperiment
from graftbench.benchmark.experiments.protocol import FitData, Order, Versions
from graftbench.benchmark.experiments.steering.experiment import SteeringExperiment
from graftbench.judges.llm.rubric import is_shipped
from graftbench.tasks.backdoor_removal import decisive
from graftbench.tasks.base import BaseTask, Variant
from graftbench.tasks.judging import SPLITS, Judges, judges_of, shown_and_good
from graftbench.tasks.steering import SteeringSettings, SteeringTask, places

OPEN = "_open"


class BehaviourSteering(BaseTask[SteeringSettings]):
    """Steering towards each behaviour of a dataset of the kind `steering`."""

    name = "behaviour_steering"
    version = 1
    kinds = ("steering",)
    settings = SteeringSettings

    def variants(self, dataset: Dataset) -> Mapping[str, Variant]:
        """Return the behaviours of a dataset that can be steered to, read and open.

        A behaviour with one measure for itself and for a good answer is read alone: nothing else would be judged.
        """
        behaviours = self.behaviours(dataset)
        opened = {
            f"{name}{OPEN}": Variant(name, behaviour, needs_judge=True)
            for name, behaviour in behaviours.items()
            if behaviour.shown_by != behaviour.answered_by
        }
        return opened | {name: Variant(name, behaviour) for name, behaviour in behaviours.items()}

    def success(self, variant: Variant, judges: Judges) -> Mapping[str, Judging]:
        """Judge the behaviour shown and the answer good, in an open variant; else nothing."""
        return dict.fromkeys(SPLITS, shown_and_good(judges, *decisive(variant))) if variant.needs_judge else {}

    def judges(self, named: Mapping[str, Any], dataset: Dataset, variants: Collection[str] = ()) -> dict[str, str]:
        """Return the identity of each judge of the open variants by measure; none where there is no such variant.

        UserError where one of them has no judge, or a suite without open variants names one.
        """
        opened = [each for name, each in self.variants(dataset).items() if name in variants and each.needs_judge]
        if named and not opened:
            raise UserError(
                f"The task {self.name} reads likelihoods and judges nothing: leave out the judge of {min(named)!r}, or "
                f"ask for variants that end in {OPEN}."
            )
        return self._judges_of(opened, named, dataset).identities

    def judges_of_cell(self, ordered: Order, dataset: Dataset, budget: Budget | None = None) -> Judges:
        """Make the judge of each measure in one cell; none where it is not open."""
        variant = self.variants(dataset)[ordered.variant]
        return self._judges_of([variant] if variant.needs_judge else [], ordered.judges, dataset, budget)

    def _judges_of(
        self, opened: Sequence[Variant], named: Mapping[str, Any], dataset: Dataset, budget: Budget | None = None
    ) -> Judges:
        """Make the judges of some open variants, and the others that a suite names."""
        if not opened:
            return Judges({})
        measures = self.measures(dataset)
        wanted = {measure: each.name for each in opened for measure in decisive(each)}
        for measure, behaviour in wanted.items():
            if measures[measure] is None and measure not in named:
                raise UserError(self._unjudged(behaviour, measure))
        judged = {measure: judge for measure, judge in measures.items() if measure in wanted or measure in named}
        return judges_of(self.name, judged, named, budget)

    def _unjudged(self, behaviour: str, measure: str) -> str:
        rubric = measure if is_shipped(measure) else "RUBRIC.yaml"
        return (
            f"Nobody judges {measure!r}, which {behaviour}{OPEN} needs: name a judge under `judges` of the task "
            f'{self.name}, such as {{judge: "llm:{rubric}", model: NAME}}; "local:{rubric}", with a model on this '
            'machine, and "pattern:REGEX", where a rule can tell, do as well.'
        )

    def experiment(
        self, ordered: Order, dataset: Dataset, models: Versions, bench: Bench
    ) -> PropensityExperiment | SteeringExperiment:
        """Return the experiment of one cell."""
        variant = self.variants(dataset)[ordered.variant]
        if not variant.needs_judge:
            return self._reading(variant, ordered, dataset, models, bench)
        steering = SteeringTask(self, self.read(ordered.settings), decisive(variant))
        return steering.experiment(variant, ordered, dataset, models, bench)

    def _reading(
        self, variant: Variant, ordered: Order, dataset: Dataset, models: Versions, bench: Bench
    ) -> PropensityExperiment:
        """Return the experiment that reads the likelihoods of given replies."""
        assert ordered.sites is not None
        settings, name, (version,) = self.read(ordered.settings), variant.name, variant.behaviour.versions
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
