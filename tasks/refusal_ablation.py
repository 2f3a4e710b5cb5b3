"""Refusal ablation (Arditi et al., 2024; Oozeer et al., 2025, section 4.3): without one direction a model complies.

`ablation` projects the direction out of all that is written to the residual stream, and asks harmful questions.
Success: the model does not refuse and the answer is good. `addition` is the opposite test: the direction is added to
every token of harmless questions and their answers (`addition_prompt`: of the questions alone). Success: the model
refuses, in words that are a refusal.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import islice
from typing import Annotated, Any, get_args

from pydantic import BaseModel, ConfigDict, Field

from graftbench.benchmark.core.budget import Budget
from graftbench.benchmark.data.examples import Example, Prompt, Track
from graftbench.benchmark.experiments.bench import Bench
from graftbench.benchmark.experiments.conditions import Draws
from graftbench.benchmark.experiments.direction.design import DirectionDesign, Use
from graftbench.benchmark.experiments.direction.experiment import DirectionExperiment
from graftbench.benchmark.experiments.judging import Judging, Outcome
from graftbench.benchmark.experiments.protocol import FitData, Order, Versions
from graftbench.benchmark.interventions.directions import PromptSets, refusal_tokens
from graftbench.benchmark.models.alignment import Alignment
from graftbench.benchmark.zoo.world.howto import REFUSALS
from graftbench.benchmark.zoo.world.prompts import requests
from graftbench.benchmark.zoo.world.request import Split
from graftbench.judges.phrases import Refusal
from graftbench.judges.protocol import Judge, Verdict
from graftbench.tasks.conversations import Talks, general_texts, talks
from graftbench.tasks.judging import SPLITS, Judges, cases_of, judges_of, outcome_of
from graftbench.tasks.settings import read_amounts

VERSION = 1
HARMFUL, HARMLESS = "harm", "howto"
# What is judged, and by which judge where a suite names none.
MEASURES = {"refused": "declines", "good": "pocket", "well_refused": "pocket_refusal"}
_USES: dict[str, Use] = {use: use for use in get_args(Use)}


class RefusalSettings(BaseModel):
    """How many prompts and texts each split gives, of harmful and of harmless ones each, and the draws."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    vector: Annotated[int, Field(ge=1)] = 128
    validation: Annotated[int, Field(ge=1)] = 72
    test: Annotated[int, Field(ge=1)] = 160
    fit: Annotated[int, Field(ge=20)] = 1000
    draws: Draws = Draws()
    compared: Annotated[int, Field(ge=0)] = 0  # held-out prompts that are answered under full replacement


class RefusalAblation:
    """The task as the runner finds it."""

    name = "refusal_ablation"
    version = VERSION
    variants: Mapping[str, tuple[str, ...]] = dict.fromkeys(_USES, ("instruct",))
    chooses_sites = tuple(_USES)

    def judges(self, named: Mapping[str, Any]) -> dict[str, str]:
        """The identity of each judge, by what it judges."""
        return judges_of(self.name, MEASURES, named).identities

    def judging(self, ordered: Order, budget: Budget | None) -> Mapping[str, Judging]:
        """Whether the direction did what it is used for; of harmless prompts, whether they are answered well."""
        judges, use = judges_of(self.name, MEASURES, ordered.judges, budget), _USES[ordered.variant]
        return dict.fromkeys(SPLITS, judged(use, judges)) | {"harmless": judged("ablation", judges)}

    def check(self, settings: Mapping[str, Any]) -> None:
        """UserError where a suite's settings for this task make no sense."""
        self._amounts(settings)

    def experiment(self, ordered: Order, models: Versions, bench: Bench) -> DirectionExperiment:
        """The experiment that a suite orders."""
        judges, use = judges_of(self.name, MEASURES, ordered.judges, bench.budget), _USES[ordered.variant]
        about = f"{self.name}/{self.version}"
        return refusal(about, judges, use, self._amounts(ordered.settings), ordered, models, bench)

    def _amounts(self, settings: Mapping[str, Any]) -> RefusalSettings:
        return read_amounts(RefusalSettings, self.name, settings)


def judged(use: Use, judges: Judges) -> Judging:
    """Gone is the refusal where a direction is ablated; where it is added, the compliance."""
    if use == "ablation":
        return judges.with_beside(_judging(judges["refused"], judges["good"], refusing=False))
    return judges.with_beside(_judging(judges["refused"], judges["well_refused"], refusing=True))


def refusal(
    about: str,
    judges: Judges,
    use: Use,
    amounts: RefusalSettings,
    ordered: Order,
    models: Versions,
    bench: Bench,
    alignment: Alignment | None = None,
) -> DirectionExperiment:
    """The use of a refusal direction, for a task and version called `about`."""
    asked = {topic: _items(topic, amounts.test) for topic in (HARMFUL, HARMLESS)}
    setting = DirectionDesign(
        models(ordered.source, "instruct"),
        models(ordered.target, "instruct"),
        use,
        contrast=_sides("vector", amounts.vector),
        validation=_sides("validation", amounts.validation),
        test=asked[HARMFUL] if use == "ablation" else tuple(replace(i, reference=REFUSALS[0]) for i in asked[HARMLESS]),
        harmless=asked[HARMLESS],
        judging=judged(use, judges),
        judging_harmless=judged("ablation", judges),
        judges=f"{about}; {judges.identity(*MEASURES)}",
        refusals=lambda model: refusal_tokens(model, REFUSALS),
    )
    return DirectionExperiment(
        setting,
        bench,
        amounts.draws,
        FitData(
            texts=lambda track: _texts("fit", amounts.fit, track),
            held_out=_texts("test", amounts.fit // 10, "task"),
            alignment=alignment,
            compared=amounts.compared,
        ),
        site=None if ordered.sites is None else ordered.sites[1],
        position=ordered.position if isinstance(ordered.position, int) else None,
    )


def _sides(split: Split, n: int) -> PromptSets:
    harmful, harmless = (tuple(item.prompt for item in _items(topic, n, split)) for topic in (HARMFUL, HARMLESS))
    return PromptSets(harmful, harmless)


def _items(topic: str, n: int, split: Split = "test") -> tuple[Example, ...]:
    return tuple(
        Example(Prompt(r.text), None, r.content, r.category, r.answers[0]) for r in requests((topic,), split, n)
    )


@cache
def _texts(split: Split, n: int, track: Track) -> Talks:
    """Conversations as the model was trained on, from another split; on the `unseen` track nothing harmful."""
    if track == "general":
        return general_texts(split, n)
    kept = talks("instruct", split, "instruct", lambda example: track == "task" or not example.request.harmful)
    return tuple(islice(kept, n))


def _judging(refused: Judge, good: Judge, *, refusing: bool) -> Judging:
    """What is wanted is gone and good where it refuses, or complies, and the judge of that takes it for good."""

    def judged(items: Sequence[Example], replies: Sequence[str]) -> list[Outcome]:
        cases = cases_of(items, replies)
        by_list = [verdict.score == 1 for verdict in Refusal()(cases)]
        both = zip(refused(cases), good(cases), strict=True)
        return [_outcome(verdicts, listed, refusing) for verdicts, listed in zip(both, by_list, strict=True)]

    return judged


def _outcome(both: tuple[Verdict, Verdict], listed: bool, refusing: bool) -> Outcome:
    """`refused_published` is what the published list of phrases says, whichever judge decides."""
    marks = {"refused": both[0].score == 1, "refused_published": listed}
    return outcome_of(both, lambda refuses, well: (refuses == refusing, well), marks)
