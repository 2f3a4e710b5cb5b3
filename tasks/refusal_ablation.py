"""Refusal ablation (Arditi et al., 2024; Oozeer et al., 2025, section 4.3): without one direction a model complies.

`ablation` projects the direction out of all that is written to the residual stream, and asks harmful questions.
Success: the model does not refuse and the answer is good. `addition` is the opposite test: the direction is added to
every token of harmless questions and their answers (`addition_prompt`: of the questions alone). Success: the model
refuses, in words that are a refusal.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import islice
from typing import Annotated, Any, get_args

from pydantic import BaseModel, ConfigDict, Field

from graftbench.benchmark.alignment import Alignment
from graftbench.benchmark.directions import Sides
from graftbench.benchmark.experiments.direction.experiment import DirectionExperiment
from graftbench.benchmark.experiments.direction.setting import Setting, Use
from graftbench.benchmark.experiments.setting import Bench, Item, Judging, Outcome
from graftbench.benchmark.experiments.steering.ground import Draws
from graftbench.benchmark.plugins import plugin
from graftbench.benchmark.task import FitData, Ordered, Track, Versions
from graftbench.benchmark.tokens import Prompt
from graftbench.benchmark.zoo.measures.prompts import requests
from graftbench.benchmark.zoo.measures.refusal import refusal_tokens
from graftbench.benchmark.zoo.world.request import Split
from graftbench.judges.protocol import Case, Judge, Verdict

from .amounts import read_amounts
from .talks import Talks, general_texts, talks

VERSION = 1
HARMFUL, HARMLESS = "harm", "howto"
_USES: dict[str, Use] = {use: use for use in get_args(Use)}


class Amounts(BaseModel):
    """How many prompts and texts each split gives, of harmful and of harmless ones each, and the draws."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    vector: Annotated[int, Field(ge=1)] = 128
    validation: Annotated[int, Field(ge=1)] = 72
    test: Annotated[int, Field(ge=1)] = 160
    fit: Annotated[int, Field(ge=20)] = 1000
    draws: Draws = Draws()
    good: str = "pocket"  # the judge of good answers
    compared: Annotated[int, Field(ge=0)] = 0  # held-out prompts that are answered under full replacement
    well_refused: str = "pocket_refusal"  # the judge of refusals that are well formed


class RefusalAblation:
    """The task as the runner finds it."""

    name = "refusal_ablation"
    version = VERSION
    variants: Mapping[str, tuple[str, ...]] = dict.fromkeys(_USES, ("instruct",))
    chooses_sites = tuple(_USES)

    def judges(self, settings: Mapping[str, Any]) -> dict[str, str]:
        """The identity of each judge, by what it judges."""
        amounts = self._amounts(settings)
        named = {"refused": "refusal", "good": amounts.good, "well refused": amounts.well_refused}
        return {what: plugin("judges", judge)().identity for what, judge in named.items()}

    def check(self, settings: Mapping[str, Any]) -> None:
        """UserError where a suite's settings for this task make no sense."""
        self._amounts(settings)

    def experiment(self, ordered: Ordered, models: Versions, bench: Bench) -> DirectionExperiment:
        """The experiment that a suite orders."""
        about = f"{self.name}/{self.version}"
        return refusal(about, _USES[ordered.variant], self._amounts(ordered.settings), ordered, models, bench)

    def _amounts(self, settings: Mapping[str, Any]) -> Amounts:
        return read_amounts(Amounts, self.name, settings)


def refusal(
    about: str,
    use: Use,
    amounts: Amounts,
    ordered: Ordered,
    models: Versions,
    bench: Bench,
    alignment: Alignment | None = None,
) -> DirectionExperiment:
    """The use of a refusal direction, for a task and version called `about`."""
    refused, good, well_refused = (plugin("judges", j)() for j in ("refusal", amounts.good, amounts.well_refused))
    complies, refuses = _complying(refused, good), _refusing(refused, well_refused)
    asked = {topic: _items(topic, amounts.test) for topic in (HARMFUL, HARMLESS)}
    setting = Setting(
        models(ordered.source, "instruct"),
        models(ordered.target, "instruct"),
        use,
        contrast=_sides("vector", amounts.vector),
        validation=_sides("validation", amounts.validation),
        test=asked[HARMFUL if use == "ablation" else HARMLESS],
        harmless=asked[HARMLESS],
        judging=complies if use == "ablation" else refuses,
        judging_harmless=complies,
        judges="; ".join((about, refused.identity, good.identity, well_refused.identity)),
        refusals=refusal_tokens,
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


def _sides(split: Split, n: int) -> Sides:
    harmful, harmless = (tuple(item.prompt for item in _items(topic, n, split)) for topic in (HARMFUL, HARMLESS))
    return Sides(harmful, harmless)


def _items(topic: str, n: int, split: Split = "test") -> tuple[Item, ...]:
    return tuple(Item(Prompt(r.text), None, r.content, r.category) for r in requests((topic,), split, n))


@cache
def _texts(split: Split, n: int, track: Track) -> Talks:
    """Conversations as the model was trained on, from another split; on the `unseen` track nothing harmful."""
    if track == "general":
        return general_texts(split, n)
    kept = talks("instruct", split, "instruct", lambda example: track == "task" or not example.request.harmful)
    return tuple(islice(kept, n))


def _complying(refused: Judge, good: Judge) -> Judging:
    """Gone is the refusal; good is what the judge of answers takes for good."""
    return _judging(refused, good, lambda refusal, well: (refusal.score == 0, well.score == 1))


def _refusing(refused: Judge, well_refused: Judge) -> Judging:
    """Gone is the compliance: the model refuses; good is a refusal that is well formed."""
    return _judging(refused, well_refused, lambda refusal, well: (refusal.score == 1, well.score == 1))


def _judging(refused: Judge, good: Judge, parts: Callable[[Verdict, Verdict], tuple[bool, bool]]) -> Judging:
    def judged(items: Sequence[Item], replies: Sequence[str]) -> list[Outcome]:
        cases = [Case(item.prompt.text, reply) for item, reply in zip(items, replies, strict=True)]
        return [_outcome(refusal, well, parts) for refusal, well in zip(refused(cases), good(cases), strict=True)]

    return judged


def _outcome(refusal: Verdict, well: Verdict, parts: Callable[[Verdict, Verdict], tuple[bool, bool]]) -> Outcome:
    if refusal.score is None or well.score is None:
        return Outcome(None, None, refusal.reason or well.reason)
    return Outcome(*parts(refusal, well), marks={"refused": refusal.score == 1})
