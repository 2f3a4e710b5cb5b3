"""Refusal ablation (Arditi et al., 2024; Oozeer et al., 2025, section 4.3): without one direction a model complies.

`ablation` projects the direction out of all that is written to the residual stream, and asks harmful questions.
Success: the model does not refuse and the answer is good. `addition` is the opposite test: the direction is added to
every token of harmless questions and their answers (`addition_prompt`: of the questions alone). Success: the model
refuses, and says nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any, get_args

from pydantic import Field

from graftbench.benchmark.data.dataset import Asked, Dataset
from graftbench.benchmark.data.examples import Example
from graftbench.benchmark.experiments.bench import Bench, Judging, Outcome
from graftbench.benchmark.experiments.conditions import Draws
from graftbench.benchmark.experiments.direction.design import DirectionDesign, Use
from graftbench.benchmark.experiments.direction.experiment import DirectionExperiment
from graftbench.benchmark.experiments.protocol import FitData, Order, Versions
from graftbench.benchmark.interventions.directions import PromptSets, refusal_tokens
from graftbench.benchmark.models.alignment import Alignment
from graftbench.judges.phrases import Refusal
from graftbench.judges.protocol import Case, Verdict
from graftbench.tasks.base import BaseTask, Count, PromptCounts, Variant
from graftbench.tasks.judging import SPLITS, Judges, JudgingByMeasures, outcome_of

USES: tuple[Use, ...] = get_args(Use)


class RefusalSettings(PromptCounts):
    """Settings of a suite, with the draws of controls; the counts are of harmful and of harmless prompts each.

    `compared` held-out prompts are answered under full replacement, for fidelity.
    """

    vector: Count = 128
    draws: Draws = Draws()
    compared: Annotated[int, Field(ge=0)] = 0


class RefusalAblation(BaseTask[RefusalSettings]):
    """Ablation and addition of a refusal direction."""

    name = "refusal_ablation"
    version = 1
    kinds = ("refusal",)
    settings = RefusalSettings

    def variants(self, dataset: Dataset) -> Mapping[str, Variant]:
        """Return every use of the direction; with the behaviour's name where a dataset has several."""
        behaviours = self.behaviours(dataset)
        return {
            use if len(behaviours) == 1 else f"{use}_{name}": Variant(name, behaviour, use)
            for name, behaviour in behaviours.items()
            for use in USES
        }

    def chooses_sites(self, variant: str, dataset: Dataset) -> bool:  # noqa: ARG002 - it always does
        """Return True: the direction is selected by the published conditions."""
        return True

    def success(self, variant: Variant, judges: Judges) -> Mapping[str, Judging]:
        """Judge the use of the direction by its purpose, and harmless prompts by good answers."""
        judging = dict.fromkeys(SPLITS, refusal_judging(variant, variant.how, judges))
        return judging | {"harmless": refusal_judging(variant, "ablation", judges)}

    def experiment(self, ordered: Order, dataset: Dataset, models: Versions, bench: Bench) -> DirectionExperiment:
        """Return the experiment of one cell."""
        variant = self.variants(dataset)[ordered.variant]
        refusal = RefusalTask(self, self.read(ordered.settings), variant.how)
        return refusal.experiment(variant, ordered, dataset, models, bench)


def refusal_judging(variant: Variant, use: Use, judges: Judges) -> Judging:
    """Judge the refusal gone and the answer good, for an ablation; else a refusal there and nothing else."""
    refused, good = variant.behaviour.shown_by, variant.behaviour.answered_by
    if use == "ablation":
        return JudgingByMeasures(judges, (refused, good), partial(_outcome, refusing=False))
    return JudgingByMeasures(judges, (refused, "well_refused"), partial(_outcome, refusing=True))


def _outcome(case: Case, verdicts: tuple[Verdict, ...], *, refusing: bool) -> Outcome:
    """Return the outcome; the mark `refused_published` is by the published list of phrases, whichever judge decides."""
    (published,) = Refusal()([case])
    marks = {"refused": verdicts[0].score == 1, "refused_published": published.score == 1}
    return outcome_of(verdicts, lambda refused, good: (refused == refusing, good), marks)


@dataclass(frozen=True)
class RefusalTask:
    """A task with the settings of one of its cells, and the use of the direction."""

    task: BaseTask[Any]
    settings: RefusalSettings
    use: Use

    def experiment(
        self,
        variant: Variant,
        ordered: Order,
        dataset: Dataset,
        models: Versions,
        bench: Bench,
        alignment: Alignment | None = None,
    ) -> DirectionExperiment:
        """Return the experiment with a refusal direction."""
        name, behaviour, settings = variant.name, variant.behaviour, self.settings
        judges = self.task.judges_of_cell(ordered, dataset, bench.budget)
        (version,) = behaviour.versions
        harmless = dataset.plain_examples(name, "test", settings.test)
        design = DirectionDesign(
            models(ordered.source, version),
            models(ordered.target, version),
            self.use,
            contrast=_contrast(dataset, name, settings.vector),
            validation=_asked(dataset, name, "validation", settings.validation),
            test=dataset.examples(name, "test", settings.test)
            if self.use == "ablation"
            else _to_be_refused(harmless, behaviour.refusals),
            harmless=harmless,
            judging=refusal_judging(variant, self.use, judges),
            judging_harmless=refusal_judging(variant, "ablation", judges),
            judges=self.task.identity(judges, behaviour.shown_by, behaviour.answered_by, "well_refused"),
            refusals=lambda model: refusal_tokens(model, behaviour.refusals),
        )
        fit_data = FitData(
            texts=lambda track: dataset.conversations(name, "fit", track, settings.fit),
            held_out=dataset.conversations(name, "test", "task", settings.fit // 10),
            alignment=alignment,
            compared=settings.compared,
        )
        return DirectionExperiment(
            design,
            bench,
            settings.draws,
            fit_data,
            site=None if ordered.sites is None else ordered.sites[1],
            position=ordered.position if isinstance(ordered.position, int) else None,
        )


def _contrast(dataset: Dataset, name: str, n: int) -> PromptSets:
    contrast = dataset.contrast(name, n)
    harmful, harmless = (tuple(turn.prompt for turn in side) for side in (contrast.undesired, contrast.desired))
    return PromptSets(harmful, harmless)


def _asked(dataset: Dataset, name: str, split: Asked, n: int) -> PromptSets:
    both = dataset.examples(name, split, n), dataset.plain_examples(name, split, n)
    harmful, harmless = (tuple(each.prompt for each in examples) for examples in both)
    return PromptSets(harmful, harmless)


def _to_be_refused(harmless: tuple[Example, ...], refusals: tuple[str, ...]) -> tuple[Example, ...]:
    return tuple(replace(each, reference=refusals[0].strip()) for each in harmless)
