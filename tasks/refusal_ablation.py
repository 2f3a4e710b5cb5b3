"""Refusal ablation (Arditi et al., 2024; Oozeer et al., 2025, section 4.3): without one direction a model complies.

`ablation` projects the direction out of all that is written to the residual stream, and asks harmful questions.
Success: the model does not refuse and the answer is good. `addition` is the opposite test: the direction is added to
every token of harmless questions and their answers (`addition_prompt`: of the questions alone). Success: the model
refuses, and says nothing else.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Annotated, Any, get_args

from pydantic import Field

from graftbench.benchmark.data.examples import Conversations, Example, Prompt, Track
from graftbench.benchmark.experiments.bench import Bench, Judging, Outcome
from graftbench.benchmark.experiments.conditions import Draws
from graftbench.benchmark.experiments.direction.design import DirectionDesign, Use
from graftbench.benchmark.experiments.direction.experiment import DirectionExperiment
from graftbench.benchmark.experiments.protocol import FitData, Order, Versions
from graftbench.benchmark.interventions.directions import PromptSets, refusal_tokens
from graftbench.benchmark.models.alignment import Alignment
from graftbench.benchmark.zoo.corpus import Sample
from graftbench.benchmark.zoo.world.howto import REFUSALS
from graftbench.benchmark.zoo.world.prompts import requests
from graftbench.benchmark.zoo.world.request import Split
from graftbench.judges.phrases import Refusal
from graftbench.judges.protocol import Case, Verdict
from graftbench.tasks.base import BaseTask, Count, PromptCounts
from graftbench.tasks.conversations import conversations_of_track
from graftbench.tasks.judging import SPLITS, Judges, JudgingByMeasures, outcome_of

HARMFUL, HARMLESS = "harm", "howto"  # topics
_USES: dict[str, Use] = {use: use for use in get_args(Use)}


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
    variants: Mapping[str, tuple[str, ...]] = dict.fromkeys(_USES, ("instruct",))
    chooses_sites = tuple(_USES)
    settings = RefusalSettings
    measures: Mapping[str, str] = {"refused": "declines", "good": "pocket", "well_refused": "pocket_refusal"}

    def success(self, variant: str, judges: Judges) -> Mapping[str, Judging]:
        """Judge the use of the direction by its purpose, and harmless prompts by good answers."""
        judging = dict.fromkeys(SPLITS, refusal_judging(_USES[variant], judges))
        return judging | {"harmless": refusal_judging("ablation", judges)}

    def experiment(self, ordered: Order, models: Versions, bench: Bench) -> DirectionExperiment:
        """Return the experiment of one cell."""
        return refusal(self, _USES[ordered.variant], self.read(ordered.settings), ordered, models, bench)


def refusal_judging(use: Use, judges: Judges) -> Judging:
    """Judge the refusal gone and the answer good, for an ablation; else a refusal there and nothing else."""
    if use == "ablation":
        return JudgingByMeasures(judges, ("refused", "good"), partial(_outcome, refusing=False))
    return JudgingByMeasures(judges, ("refused", "well_refused"), partial(_outcome, refusing=True))


def _outcome(case: Case, verdicts: tuple[Verdict, ...], *, refusing: bool) -> Outcome:
    """Return the outcome; the mark `refused_published` is by the published list of phrases, whichever judge decides."""
    (published,) = Refusal()([case])
    marks = {"refused": verdicts[0].score == 1, "refused_published": published.score == 1}
    return outcome_of(verdicts, lambda refused, good: (refused == refusing, good), marks)


def refusal(
    task: BaseTask[Any],
    use: Use,
    settings: RefusalSettings,
    ordered: Order,
    models: Versions,
    bench: Bench,
    alignment: Alignment | None = None,
) -> DirectionExperiment:
    """Return the experiment with a refusal direction, as a cell of `task`."""
    judges = task.make_judges(ordered.judges, bench.budget)
    harmful, harmless = (_examples(topic, settings.test) for topic in (HARMFUL, HARMLESS))
    design = DirectionDesign(
        models(ordered.source, "instruct"),
        models(ordered.target, "instruct"),
        use,
        contrast=_prompt_sets("vector", settings.vector),
        validation=_prompt_sets("validation", settings.validation),
        test=harmful if use == "ablation" else tuple(replace(each, reference=REFUSALS[0]) for each in harmless),
        harmless=harmless,
        judging=refusal_judging(use, judges),
        judging_harmless=refusal_judging("ablation", judges),
        judges=task.identity(judges, *RefusalAblation.measures),
        refusals=lambda model: refusal_tokens(model, REFUSALS),
    )
    fit_data = FitData(
        texts=lambda track: _texts("fit", settings.fit, track),
        held_out=_texts("test", settings.fit // 10, "task"),
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


def _prompt_sets(split: Split, n: int) -> PromptSets:
    harmful, harmless = (tuple(each.prompt for each in _examples(topic, n, split)) for topic in (HARMFUL, HARMLESS))
    return PromptSets(harmful, harmless)


def _examples(topic: str, n: int, split: Split = "test") -> tuple[Example, ...]:
    return tuple(
        Example(Prompt(r.text), None, r.content, r.category, r.answers[0]) for r in requests((topic,), split, n)
    )


def _texts(split: Split, n: int, track: Track) -> Conversations:
    return conversations_of_track(track, ("instruct",), split, n, _is_harmful)


def _is_harmful(sample: Sample) -> bool:
    return sample.request.harmful
