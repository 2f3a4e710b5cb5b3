"""Version switching (Oozeer et al., 2025, section 4.4): one version of a model is turned into another as it runs.

Its activations at one site are replaced by a mapper's prediction of the other version's (`_several`: at that site and
at all later ones). Success: the running model's own behaviour is gone and the answer is as the other version gives it.
On a pair of one family the mapper reads the running model; on a pair of two, another model that reads the same text.
"""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from graftbench.benchmark.data.dataset import Dataset
from graftbench.benchmark.data.examples import without_trigger
from graftbench.benchmark.experiments.bench import Bench, Judging
from graftbench.benchmark.experiments.protocol import FitData, Order, Versions
from graftbench.benchmark.experiments.switching.design import ERASER, MEAN_ABLATED, Baseline, SwitchingDesign
from graftbench.benchmark.experiments.switching.experiment import SwitchingExperiment
from graftbench.benchmark.experiments.switching.untriggered import UNTRIGGERED
from graftbench.benchmark.models.architectures import Sites
from graftbench.tasks.base import BaseTask, PromptCounts, Variant
from graftbench.tasks.judging import SPLITS, Judges, gone_and_good

ONE_SITE, SEVERAL_SITES = "one", "several"


class SwitchSettings(PromptCounts):
    """Settings of a suite, with the number of draws of noise, and of steps in which an adapter is trained (0: none).

    `baseline` is what transfer is measured from; with `eraser`, where all prompts have a trigger. The first
    `untriggered` test prompts are asked without their trigger, too.
    """

    noise: Annotated[int, Field(ge=2)] = 4
    lora_steps: Annotated[int, Field(ge=0)] = 100
    baseline: Baseline = MEAN_ABLATED
    untriggered: Annotated[int, Field(ge=0)] = 0


class VersionSwitching(BaseTask[SwitchSettings]):
    """Switches between the versions of a dataset."""

    name = "version_switching"
    version = 2
    kinds = ("switch",)
    settings = SwitchSettings

    def variants(self, dataset: Dataset) -> Mapping[str, Variant]:
        """Return every switch of a dataset, at one site and at several."""
        behaviours = self.behaviours(dataset).items()
        return {name: Variant(name, behaviour, ONE_SITE) for name, behaviour in behaviours} | {
            f"{name}_several": Variant(name, behaviour, SEVERAL_SITES) for name, behaviour in behaviours
        }

    def success(self, variant: Variant, judges: Judges) -> Mapping[str, Judging]:
        """Judge the running version's behaviour gone, and the answer as the other version gives it."""
        return dict.fromkeys((*SPLITS, UNTRIGGERED), switched(variant, judges))

    def experiment(self, ordered: Order, dataset: Dataset, models: Versions, bench: Bench) -> SwitchingExperiment:
        """Return the experiment of one cell."""
        variant, settings = self.variants(dataset)[ordered.variant], self.read(ordered.settings)
        name, behaviour = variant.name, variant.behaviour
        assert ordered.sites is not None
        running_version, other_version = behaviour.versions
        running = models(ordered.target, running_version)
        judges = self.judges_of_cell(ordered, dataset, bench.budget)
        test = dataset.examples(name, "test", settings.test)
        further = _later(ordered.sites, running.n_blocks) if variant.how == SEVERAL_SITES else ()
        design = SwitchingDesign(
            running if ordered.source == ordered.target else models(ordered.source, other_version),
            running,
            models(ordered.target, other_version),
            ordered.sites,
            validation=dataset.examples(name, "validation", settings.validation),
            test=test,
            judging=switched(variant, judges),
            judges=self.identity(judges, behaviour.shown_by, behaviour.answered_by),
            lessons=dataset.lessons(name, settings.fit),
            further=further,
            positions="prompt" if ordered.position == "prompt" else "all",
            lora_steps=settings.lora_steps,
            erased=settings.baseline == ERASER,
            untriggered=tuple(without_trigger(each) for each in test[: settings.untriggered] if each.prompt.trigger),
        )
        fit_data = FitData(
            texts=lambda track: dataset.conversations(name, "fit", track, settings.fit),
            held_out=dataset.conversations(name, "validation", "task", settings.fit // 10),
            further=further,
        )
        return SwitchingExperiment(design, bench, settings.noise, fit_data)


def switched(variant: Variant, judges: Judges) -> Judging:
    """Judge completions of a model that is to become another version."""
    return gone_and_good(judges, variant.behaviour.shown_by, variant.behaviour.answered_by)


def _later(sites: Sites, n_blocks: int) -> tuple[Sites, ...]:
    """Return the pairs of sites after a pair, one block after the other in both."""
    return tuple((sites[0] + i, sites[1] + i) for i in range(1, n_blocks - sites[1]))
