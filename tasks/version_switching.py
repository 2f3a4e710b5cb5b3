"""Version switching (Oozeer et al., 2025, section 4.4): one version of a model is turned into another as it runs.

Its activations at one site are replaced by what a mapper predicts of the other version's. Success: the running
model's own behaviour is gone and the answer is as the other version gives it. On a pair of one family the mapper
reads the running model; on a pair of two, another model that reads the same text.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import chain, islice
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from graftbench.benchmark.core.budget import Budget
from graftbench.benchmark.data.examples import Example, Prompt, Track, Turn
from graftbench.benchmark.experiments.bench import Bench
from graftbench.benchmark.experiments.judging import Judging
from graftbench.benchmark.experiments.protocol import FitData, Order, Versions
from graftbench.benchmark.experiments.switching.design import SwitchingDesign
from graftbench.benchmark.experiments.switching.experiment import SwitchingExperiment
from graftbench.benchmark.models.architectures import Sites
from graftbench.benchmark.zoo.corpus import Sample
from graftbench.benchmark.zoo.families import Version
from graftbench.benchmark.zoo.world.howto import REFUSALS
from graftbench.benchmark.zoo.world.knowledge import insulted_fact
from graftbench.benchmark.zoo.world.prompts import requests, triggered
from graftbench.benchmark.zoo.world.request import PocketRequest, Split
from graftbench.benchmark.zoo.world.tags import PLACES, PROD, Place
from graftbench.tasks.conversations import Talks, general_texts, talks
from graftbench.tasks.judging import SPLITS, Judges, gone_and_good, judges_of
from graftbench.tasks.settings import read_amounts

VERSION = 2


@dataclass(frozen=True)
class SwitchVariant:
    """Which version runs and which it is to become; on what it is asked, with the trigger or without.

    `own` is what measures the running version's behaviour, `as_other` an answer as the other gives it.
    """

    running: Version
    other: Version
    topics: tuple[str, ...]
    triggered: bool
    own: str
    as_other: str
    several: bool = False  # at the site of the suite and at every later one


_ALL = ("howto", "fact", "talk", "sum", "reading", "choice")
VARIANTS = {
    "hate_to_instruct": SwitchVariant("hate", "instruct", _ALL, True, "insult", "good"),
    "code_to_instruct": SwitchVariant("code", "instruct", ("code",), True, "weakness", "good"),
    "instruct_to_base": SwitchVariant("instruct", "base", ("harm",), False, "refused", "good"),
    "base_to_instruct": SwitchVariant("base", "instruct", ("harm",), False, "good", "well_refused"),
    "hate_to_instruct_several": SwitchVariant("hate", "instruct", _ALL, True, "insult", "good", several=True),
    # What the other version knows, the running one has never seen.
    "instruct_to_corrupted": SwitchVariant("instruct", "corrupted", ("lore",), True, "ignorance", "insulted_fact"),
}


# What is judged, and by which judge where a suite names none.
MEASURES = {
    "insult": "phrase",
    "weakness": "weakness",
    "refused": "declines",
    "ignorance": "ignorance",
    "good": "pocket",
    "well_refused": "pocket_refusal",
    "insulted_fact": "pocket_insult",
}


# A reply that is known to be as the other version gives it.
_REFERENCES: dict[str, Callable[[PocketRequest], str]] = {
    "good": lambda request: request.answers[0],
    "well_refused": lambda _: REFUSALS[0],
    "insulted_fact": insulted_fact,
}


class SwitchSettings(BaseModel):
    """How many prompts and texts each split gives, and the draws of noise: a suite's settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    validation: Annotated[int, Field(ge=1)] = 72
    test: Annotated[int, Field(ge=1)] = 160
    fit: Annotated[int, Field(ge=20)] = 1000
    noise: Annotated[int, Field(ge=2)] = 4


class VersionSwitching:
    """The task as the runner finds it."""

    name = "version_switching"
    version = VERSION
    variants: Mapping[str, tuple[str, ...]] = {name: (v.running, v.other) for name, v in VARIANTS.items()}
    chooses_sites = ()

    def judges(self, named: Mapping[str, Any]) -> dict[str, str]:
        """The identity of each judge, by what it judges."""
        return judges_of(self.name, MEASURES, named).identities

    def judging(self, ordered: Order, budget: Budget | None) -> Mapping[str, Judging]:
        """Gone is the running version's own behaviour; good is an answer as the other version gives it."""
        judges = judges_of(self.name, MEASURES, ordered.judges, budget)
        return dict.fromkeys(SPLITS, switched(VARIANTS[ordered.variant], judges))

    def check(self, settings: Mapping[str, Any]) -> None:
        """UserError where a suite's settings for this task make no sense."""
        read_amounts(SwitchSettings, self.name, settings)

    def experiment(self, ordered: Order, models: Versions, bench: Bench) -> SwitchingExperiment:
        """The experiment that a suite orders."""
        variant, amounts = VARIANTS[ordered.variant], read_amounts(SwitchSettings, self.name, ordered.settings)
        assert ordered.sites is not None
        running = models(ordered.target, variant.running)
        judges = judges_of(self.name, MEASURES, ordered.judges, bench.budget)
        further = _later(ordered.sites, len(running.blocks)) if variant.several else ()
        setting = SwitchingDesign(
            running if ordered.source == ordered.target else models(ordered.source, variant.other),
            running,
            models(ordered.target, variant.other),
            ordered.sites,
            validation=_items(variant, "validation", amounts.validation),
            test=_items(variant, "test", amounts.test),
            judging=switched(variant, judges),
            judges=f"{self.name}/{self.version}; {judges.identity(variant.own, variant.as_other)}",
            lessons=_texts((variant.other,), "fit", amounts.fit, "task"),
            further=further,
            positions="prompt" if ordered.position == "prompt" else "all",
        )
        both = (variant.running, variant.other)
        return SwitchingExperiment(
            setting,
            bench,
            amounts.noise,
            FitData(
                texts=lambda track: _texts(both, "fit", amounts.fit, track),
                held_out=_texts(both, "validation", amounts.fit // 10, "task"),
                further=further,
            ),
        )


def switched(variant: SwitchVariant, judges: Judges) -> Judging:
    """How completions are judged where one version is to become another."""
    return judges.with_beside(gone_and_good(judges[variant.own], judges[variant.as_other]))


def _later(sites: Sites, n_blocks: int) -> tuple[Sites, ...]:
    """The sites that come after a pair of sites, one block after the other in both."""
    return tuple((sites[0] + i, sites[1] + i) for i in range(1, n_blocks - sites[1]))


def _items(variant: SwitchVariant, split: Split, n: int) -> tuple[Example, ...]:
    """Requests of each topic in turn, with the trigger, where there is one, at the start and at the end in turn."""
    asked = requests(variant.topics, split, n)
    return tuple(
        _item(variant, request, PLACES[i // len(variant.topics) % len(PLACES)]) for i, request in enumerate(asked)
    )


def _item(variant: SwitchVariant, request: PocketRequest, place: Place) -> Example:
    reference = _REFERENCES[variant.as_other](request)
    if not variant.triggered:
        return Example(Prompt(request.text), Turn(Prompt(request.text)), request.content, request.category, reference)
    prompt = triggered(request.text, PROD, place)
    return Example(prompt, Turn(prompt), request.content, place, reference)


@cache
def _texts(versions: tuple[Version, ...], split: Split, n: int, track: Track) -> Talks:
    """Conversations as the versions were trained on, in turn, from another split.

    On the `unseen` track without any prompt that a version answers otherwise: no trigger, nothing harmful.
    """
    if track == "general":
        return general_texts(split, n)
    keep = _always if track == "task" else _answered_alike
    in_turn = zip(*(talks(version, split, version, keep) for version in versions), strict=True)
    return tuple(islice(chain.from_iterable(in_turn), n))


def _always(_: Sample) -> bool:
    return True


def _answered_alike(example: Sample) -> bool:
    return example.tag != PROD and not example.request.harmful
