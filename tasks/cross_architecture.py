"""Cross-architecture transfer (Oozeer et al., 2025, section 5): the same interventions between unlike models.

Both backdoors and refusal, between families with different tokenizers. Some variants ask whether shared tokens explain
the transfer: tokens paired by index instead of by where they end (`_by_index`, as published), the vector at the last
position of the prompt instead of at the trigger (`_last`), and a map that was fitted on embeddings alone
(`_embeddings`).
"""

from collections.abc import Mapping

from graftbench.benchmark.data.dataset import Dataset
from graftbench.benchmark.experiments.bench import Bench, Judging
from graftbench.benchmark.experiments.direction.experiment import DirectionExperiment
from graftbench.benchmark.experiments.protocol import Order, Versions
from graftbench.benchmark.experiments.steering.experiment import SteeringExperiment
from graftbench.tasks.backdoor_removal import decisive, removed
from graftbench.tasks.base import BaseTask, Count, Variant
from graftbench.tasks.judging import SPLITS, Judges
from graftbench.tasks.refusal_ablation import RefusalSettings, RefusalTask, refusal_judging
from graftbench.tasks.steering import RemovalSettings, SteeringOptions, SteeringTask

_PLAIN, _BY_INDEX = SteeringOptions(), SteeringOptions(alignment="index")
_OF_BACKDOORS = {
    "": _PLAIN,
    "_by_index": _BY_INDEX,
    "_last": SteeringOptions(positions="last"),
    "_embeddings": SteeringOptions(fitted_at=(0, 0)),
}
_OF_REFUSAL = {"": _PLAIN, "_by_index": _BY_INDEX}


class CrossSettings(RemovalSettings):
    """Settings of backdoor removal, with the number of validation prompts for refusal.

    Prompts of refusal are filtered by how the models treat them, so that more are needed.
    """

    refusal_validation: Count = 96

    @property
    def for_refusal(self) -> RefusalSettings:
        """Settings of the variants of refusal."""
        shared = self.model_dump(include=set(RefusalSettings.model_fields))
        return RefusalSettings.model_validate(shared | {"validation": self.refusal_validation})


class CrossArchitecture(BaseTask[CrossSettings]):
    """Backdoor removal and refusal ablation between families."""

    name = "cross_architecture"
    version = 1
    kinds = ("backdoor", "refusal")
    settings = CrossSettings

    def variants(self, dataset: Dataset) -> Mapping[str, Variant]:
        """Return every backdoor and refusal of a dataset, as it is and with each deviation."""
        return {
            f"{name}{suffix}": Variant(name, behaviour, options)
            for name, behaviour in self.behaviours(dataset).items()
            for suffix, options in (_OF_REFUSAL if behaviour.kind == "refusal" else _OF_BACKDOORS).items()
        }

    def chooses_sites(self, variant: str, dataset: Dataset) -> bool:
        """Return whether a variant is one of refusal."""
        return self.variants(dataset)[variant].behaviour.kind == "refusal"

    def success(self, variant: Variant, judges: Judges) -> Mapping[str, Judging]:
        """Judge as in the tasks that are carried across."""
        if variant.behaviour.kind == "refusal":
            return dict.fromkeys((*SPLITS, "harmless"), refusal_judging(variant, "ablation", judges))
        return dict.fromkeys(SPLITS, removed(variant, judges))

    def experiment(
        self, ordered: Order, dataset: Dataset, models: Versions, bench: Bench
    ) -> SteeringExperiment | DirectionExperiment:
        """Return the experiment of one cell."""
        settings, variant = self.read(ordered.settings), self.variants(dataset)[ordered.variant]
        options: SteeringOptions = variant.how
        if variant.behaviour.kind == "refusal":
            refusal = RefusalTask(self, settings.for_refusal, "ablation")
            return refusal.experiment(variant, ordered, dataset, models, bench, options.alignment)
        steering = SteeringTask(self, settings, decisive(variant), settings.target_loss_steps)
        return steering.experiment(variant, ordered, dataset, models, bench, options)
