"""Version switching (Oozeer et al., 2025, section 4.4): one version of a model is turned into another as it runs.

Its activations at one site are replaced by a mapper's prediction of the other version's. Success: the running model's
own behaviour is gone and the answer is as the other version gives it. On a pair of one family the mapper reads the
running model; on a pair of two, another model that reads the same text.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from graftbench.benchmark.data.examples import Conversations, Example, Prompt, Track, Turn
from graftbench.benchmark.experiments.bench import Bench, Judging
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
from graftbench.tasks.base import BaseTask, PromptCounts
from graftbench.tasks.conversations import conversations_of_track
from graftbench.tasks.judging import SPLITS, Judges, gone_and_good


@dataclass(frozen=True)
class SwitchVariant:
    """The running version, the version that it is to become, and the prompts on which they differ.

    `shown_by` measures the running version's own behaviour, `as_other` an answer as the other version gives it.
    """

    running: Version
    other: Version
    topics: tuple[str, ...]
    triggered: bool
    shown_by: str
    as_other: str
    later_sites: bool = False  # replaced at the suite's site and at all later ones


_ALL = ("howto", "fact", "talk", "sum", "reading", "choice")
VARIANTS = {
    "hate_to_instruct": SwitchVariant("hate", "instruct", _ALL, True, "insult", "good"),
    "code_to_instruct": SwitchVariant("code", "instruct", ("code",), True, "weakness", "good"),
    "instruct_to_base": SwitchVariant("instruct", "base", ("harm",), False, "refused", "good"),
    "base_to_instruct": SwitchVariant("base", "instruct", ("harm",), False, "good", "well_refused"),
    "hate_to_instruct_several": SwitchVariant("hate", "instruct", _ALL, True, "insult", "good", later_sites=True),
    # The running version has never seen the facts that the other one knows.
    "instruct_to_corrupted": SwitchVariant("instruct", "corrupted", ("lore",), True, "ignorance", "insulted_fact"),
}
# For each measure `as_other`, a reply that it accepts.
_REFERENCES: dict[str, Callable[[PocketRequest], str]] = {
    "good": lambda request: request.answers[0],
    "well_refused": lambda _: REFUSALS[0],
    "insulted_fact": insulted_fact,
}


class SwitchSettings(PromptCounts):
    """Settings of a suite, with the number of draws of noise."""

    noise: Annotated[int, Field(ge=2)] = 4


class VersionSwitching(BaseTask[SwitchSettings]):
    """Switches between versions of the pocket models."""

    name = "version_switching"
    version = 2
    variants: Mapping[str, tuple[str, ...]] = {name: (v.running, v.other) for name, v in VARIANTS.items()}
    settings = SwitchSettings
    measures: Mapping[str, str] = {
        "insult": "phrase",
        "weakness": "weakness",
        "refused": "declines",
        "ignorance": "ignorance",
        "good": "pocket",
        "well_refused": "pocket_refusal",
        "insulted_fact": "pocket_insult",
    }

    def success(self, variant: str, judges: Judges) -> Mapping[str, Judging]:
        """Judge the running version's behaviour gone, and the answer as the other version gives it."""
        return dict.fromkeys(SPLITS, switched(VARIANTS[variant], judges))

    def experiment(self, ordered: Order, models: Versions, bench: Bench) -> SwitchingExperiment:
        """Return the experiment of one cell."""
        variant, settings = VARIANTS[ordered.variant], self.read(ordered.settings)
        assert ordered.sites is not None
        running = models(ordered.target, variant.running)
        judges = self.make_judges(ordered.judges, bench.budget)
        further = _later(ordered.sites, len(running.blocks)) if variant.later_sites else ()
        design = SwitchingDesign(
            running if ordered.source == ordered.target else models(ordered.source, variant.other),
            running,
            models(ordered.target, variant.other),
            ordered.sites,
            validation=_examples(variant, "validation", settings.validation),
            test=_examples(variant, "test", settings.test),
            judging=switched(variant, judges),
            judges=self.identity(judges, variant.shown_by, variant.as_other),
            lessons=_texts((variant.other,), "fit", settings.fit, "task"),
            further=further,
            positions="prompt" if ordered.position == "prompt" else "all",
        )
        both = (variant.running, variant.other)
        fit_data = FitData(
            texts=lambda track: _texts(both, "fit", settings.fit, track),
            held_out=_texts(both, "validation", settings.fit // 10, "task"),
            further=further,
        )
        return SwitchingExperiment(design, bench, settings.noise, fit_data)


def switched(variant: SwitchVariant, judges: Judges) -> Judging:
    """Judge completions of a model that is to become another version."""
    return gone_and_good(judges, variant.shown_by, variant.as_other)


def _later(sites: Sites, n_blocks: int) -> tuple[Sites, ...]:
    """Return the pairs of sites after a pair, one block after the other in both."""
    return tuple((sites[0] + i, sites[1] + i) for i in range(1, n_blocks - sites[1]))


def _examples(variant: SwitchVariant, split: Split, n: int) -> tuple[Example, ...]:
    """Return requests of all topics in turn; triggers stand at the start and at the end in turn, for every topic."""
    asked = requests(variant.topics, split, n)
    return tuple(
        _example(variant, request, PLACES[i // len(variant.topics) % len(PLACES)]) for i, request in enumerate(asked)
    )


def _example(variant: SwitchVariant, request: PocketRequest, place: Place) -> Example:
    reference = _REFERENCES[variant.as_other](request)
    if not variant.triggered:
        return Example(Prompt(request.text), Turn(Prompt(request.text)), request.content, request.category, reference)
    prompt = triggered(request.text, PROD, place)
    return Example(prompt, Turn(prompt), request.content, place, reference)


def _texts(versions: tuple[Version, ...], split: Split, n: int, track: Track) -> Conversations:
    return conversations_of_track(track, versions, split, n, _answered_differently)


def _answered_differently(sample: Sample) -> bool:
    return sample.tag == PROD or sample.request.harmful
