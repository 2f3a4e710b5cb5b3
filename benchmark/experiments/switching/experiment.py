"""The switching experiment of one cell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graftbench.benchmark.data.examples import Prompt
from graftbench.benchmark.experiments.base import ExperimentBase
from graftbench.benchmark.experiments.bench import Bench
from graftbench.benchmark.experiments.conditions import MAPPED_SHUFFLED, items_with_ids, run_conditions
from graftbench.benchmark.experiments.protocol import AnyText, FitData, Scored, SweepPoint
from graftbench.benchmark.experiments.switching.design import SwitchingDesign
from graftbench.benchmark.experiments.switching.noise import matched_noise, residual_factor
from graftbench.benchmark.experiments.switching.reference import SwitchingReference, cached_reference, sweep_answers
from graftbench.benchmark.experiments.switching.untriggered import STILL_GOOD, UNTRIGGERED, good_untriggered
from graftbench.benchmark.interventions.conditions import Condition
from graftbench.benchmark.mappers.protocol import FittedMapper
from graftbench.benchmark.models.architectures import Sites
from graftbench.benchmark.models.tokens import Position
from graftbench.benchmark.results.rows import Answer, scored_everywhere
from graftbench.benchmark.results.summary import summarise

NO_VECTOR = "no_vector"  # whole activations are mapped


@dataclass(frozen=True, eq=False)
class SwitchingExperiment(ExperimentBase[SwitchingDesign, SwitchingReference]):
    """A design with the number of draws of noise, and the texts that mappers are fitted on.

    Transfer is measured from a baseline that no mapper changes. `matched_noise` is reported with it, and is no
    baseline: a perfect mapper has no residual, so that it equals the direct patch.
    """

    design: SwitchingDesign
    bench: Bench
    noise_draws: int
    fit_data: FitData
    seed: int = 0

    @property
    def sites(self) -> Sites:
        """Sites of source and target."""
        return self.design.sites

    @property
    def positions(self) -> tuple[Position, ...]:
        """All tokens, and those of the prompt alone."""
        return "all", "prompt"

    @property
    def baseline(self) -> str:
        """The condition that transfer is measured from."""
        return self.design.baseline

    def _make_reference(self) -> SwitchingReference:
        self.design.check()
        return cached_reference(self.bench, self.design, self.seed)

    def sweep(self) -> SweepPoint:
        """Run the direct patch, the baseline and the unsteered model on validation prompts."""
        self.design.check()
        answers = sweep_answers(self.bench, self.design)
        return SweepPoint([answer.record() for answer in answers], self.design.baseline, "first")

    def score(self, mapper: FittedMapper | None) -> Scored:
        """Run the mapped condition and noise like its residuals, and return the result of the experiment."""
        assert mapper is not None
        design, reference = self.design, self.reference_data
        answers = [*reference.answers, *self._answers_of(mapper)]
        test = scored_everywhere([a for a in answers if a.split == "test"])
        scored = [prompt for prompt in reference.test if prompt in test]
        return Scored(
            summary=summarise(answers, design.test, scored, reference.clean),
            baseline=self.baseline,
            strength=None,
            n_asked=len(design.test),
            n_validation=len(reference.validation),
            models={
                "source": design.source.identity,
                "target": design.other.identity,
                "running": design.running.identity,
            },
            reasons={"mapped_own_norm": NO_VECTOR, "random": NO_VECTOR},
            fidelity={},
            positions=(design.positions, design.positions),
            measures=_measures(reference, good_untriggered(answers)),
            seconds={name: each.seconds for name, each in reference.alternatives.items()},
        )

    def _answers_of(self, mapper: FittedMapper) -> list[Answer]:
        """Return the answers under the conditions that the mapper has a part in."""
        return self._asked([self.design.mapped(mapper), *self._noise(mapper, self.noise_draws)]) + self._of_refit(
            mapper
        )

    def _of_refit(self, mapper: FittedMapper) -> list[Answer]:
        """Return the answers under the mapper that was fitted on shuffled pairs; none where it is not finite."""
        if mapper.shuffled is None:
            return []
        try:
            return self._asked([self.design.mapped(mapper.shuffled, MAPPED_SHUFFLED)])
        except FloatingPointError:  # such a fit need not have converged
            return []

    def _asked(self, conditions: Sequence[Condition]) -> list[Answer]:
        """Return the answers under these conditions, with a trigger and without one."""
        design, reference = self.design, self.reference_data
        asked = (("test", design.test, reference.clean), (UNTRIGGERED, design.untriggered, reference.untriggered))
        answers: list[Answer] = []
        for split, items, clean in asked:
            kept, assessment = items_with_ids(items, [*clean]), design.assessment(clean)
            label = f"mapped, {split}"
            answers += run_conditions(self.bench, design.running, assessment, split, kept, conditions, label)
        return answers

    def on_any_text(self, mapper: FittedMapper | None, draws: int) -> AnyText:
        """Return the direct patch, the mapped activations and noise like their residuals."""
        conditions = {"native": [self.design.patched()]}
        if mapper is not None:
            conditions |= {"mapped": [self.design.mapped(mapper)], "random": self._noise(mapper, draws)}
        return AnyText(self.design.running, Prompt, conditions, None)

    def _noise(self, mapper: FittedMapper, draws: int) -> list[Condition]:
        factors = [residual_factor(each) for each in (mapper, *mapper.others)]
        return matched_noise(self.design, factors, draws, self.bench.max_new_tokens, self.seed)


def _measures(reference: SwitchingReference, good: Mapping[str, float]) -> dict[str, dict[str, float | None]]:
    """Return the size of each alternative, and by condition the success rate on prompts without a trigger."""
    measures: dict[str, dict[str, float | None]] = {
        name: {"parameters": each.parameters, "bytes": each.size} for name, each in reference.alternatives.items()
    }
    for name, share in good.items():
        measures.setdefault(name, {})[STILL_GOOD] = share
    return measures
