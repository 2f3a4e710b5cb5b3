"""The propensity experiment of one cell."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from graftbench.benchmark.experiments.base import ExperimentBase
from graftbench.benchmark.experiments.bench import Bench
from graftbench.benchmark.experiments.conditions import MAPPED_SHUFFLED, ZERO_VECTOR, Draws
from graftbench.benchmark.experiments.propensity.design import PropensityDesign
from graftbench.benchmark.experiments.propensity.readings import SHIFT, answers, read
from graftbench.benchmark.experiments.propensity.reference import (
    UNSTEERED,
    PropensityReference,
    both_signs,
    cached_reference,
    sweep_answers,
)
from graftbench.benchmark.experiments.protocol import OWN, AnyText, FitData, Scored, SweepPoint
from graftbench.benchmark.experiments.steering.any_text import both_vectors, on_any_text, vector_of_refit
from graftbench.benchmark.interventions.conditions import Condition
from graftbench.benchmark.interventions.vectors import is_zero, match_norms, norm_of
from graftbench.benchmark.mappers.protocol import FittedMapper
from graftbench.benchmark.models.architectures import Sites
from graftbench.benchmark.models.tokens import Position
from graftbench.benchmark.results.rows import Answer
from graftbench.benchmark.results.summary import summarise

Measures = dict[str, dict[str, float | None]]


@dataclass(frozen=True, eq=False)
class PropensityExperiment(ExperimentBase[PropensityDesign, PropensityReference]):
    """A design with its strengths and draws, and the texts that mappers are fitted on."""

    design: PropensityDesign
    bench: Bench
    strengths: tuple[float, ...]
    draws: Draws
    fit_data: FitData
    seed: int = 0

    @property
    def sites(self) -> Sites:
        """Sites of source and target."""
        return self.design.sites

    @property
    def positions(self) -> tuple[Position, ...]:
        """The design's own, and every token of the prompt."""
        return tuple(dict.fromkeys((OWN if self.design.added_at else self.design.positions, "prompt")))

    def _make_reference(self) -> PropensityReference:
        self.design.check()
        return cached_reference(self.bench, self.design, self.strengths, self.draws, self.seed)

    def sweep(self) -> SweepPoint:
        """Read the target under its native vector and random ones on validation prompts, at every strength."""
        self.design.check()
        swept = sweep_answers(self.bench, self.design, self.strengths, self.draws, self.seed)
        return SweepPoint([answer.record() for answer in swept], "random", "last")

    def score(self, mapper: FittedMapper | None) -> Scored:
        """Read the target under the mapped vector and return the result of the experiment."""
        assert mapper is not None
        reference = self.reference_data
        native, mapped = both_vectors(self.bench.store, self.design, mapper)
        equal = match_norms(mapped, native)
        shuffled = vector_of_refit(self.bench.store, self.design, mapper)
        own = self._of_mapper(reference, mapped, equal, None if shuffled is None else match_norms(shuffled, native))
        every = [*reference.answers, *own]
        ids = [item.id for item in self.design.test]
        reasons = {"random_contrast": reference.contrast_reason} if reference.contrast_reason else {}
        if is_zero(equal):
            reasons["mapped"] = ZERO_VECTOR
        ratio, product = norm_of(mapped) / norm_of(native), norm_of(mapped) * norm_of(native)
        return Scored(
            strength=reference.strength,
            n_asked=len(ids),
            n_validation=len(self.design.validation),
            models={"source": self.source.identity, "target": self.target.identity},
            summary=summarise(every, self.design.test, ids, {}),
            baseline=self.baseline,
            reasons=reasons,
            positions=(self.design.positions, self.design.positions),
            fidelity={
                "vector_cosine": float((mapped * native).sum() / product) if product else None,
                "vector_norm_ratio": ratio,
            },
            measures=steerability(every),
        )

    def on_any_text(self, mapper: FittedMapper | None, draws: int) -> AnyText:
        """Return native, mapped and random vectors at the design's positions and everywhere, and full replacement."""
        return on_any_text(self, mapper, self.reference_data.strength, draws)

    def _of_mapper(
        self, reference: PropensityReference, mapped: Tensor, equal: Tensor, shuffled: Tensor | None
    ) -> list[Answer]:
        """Return the answers under the mapped vector: at native's norm, `equal`, and at its own.

        `shuffled` is that of the refit on shuffled pairs, at native's norm.
        """
        design, strength = self.design, reference.strength
        swept = [] if is_zero(equal) else both_signs(self.strengths)
        at_strengths = [design.adding("mapped", s * equal, 0, s, True) for s in swept]
        own_norm = design.adding("mapped_own_norm", strength * mapped, 0, strength, True)
        at_own = [] if is_zero(equal) else [design.adding("mapped", strength * equal, 0, strength, True)]
        if shuffled is not None and not is_zero(shuffled):
            at_own.append(design.adding(MAPPED_SHUFFLED, strength * shuffled, 0, strength, True))
        return [
            *self._read("validation", at_strengths, reference, "mapped, validation"),
            *self._read("test", [*at_own, own_norm], reference, "mapped, test"),
        ]

    def _read(
        self, split: str, conditions: Sequence[Condition], reference: PropensityReference, label: str
    ) -> list[Answer]:
        if not conditions:
            return []
        items = self.design.test if split == "test" else self.design.validation
        readings = read(self.bench, self.design, items, conditions, label)
        return answers(split, items, conditions, readings, reference.unsteered, self.target.dtype)


def steerability(every: Sequence[Answer]) -> Measures:
    """Return for each condition how its shift grows with strength, on validation prompts: nats per token and strength.

    `steerability` is the mean over prompts of the slope of the shift over strengths of both signs, through the origin;
    `spread` its standard deviation over prompts (Tan et al., 2024, section 3.3). Those of random vectors are means over
    draws.
    """
    slopes: dict[str, dict[int, list[float]]] = {}
    by_prompt: dict[tuple[str, int, str], list[tuple[float, float]]] = {}
    for each in every:
        if each.split == "validation" and each.strength is not None and each.condition != UNSTEERED:
            shift = each.marks[SHIFT]
            assert shift is not None
            by_prompt.setdefault((each.condition, each.draw, each.item), []).append((each.strength, shift))
    for (condition, draw, _), points in by_prompt.items():
        strengths, shifts = np.array(points).T
        slopes.setdefault(condition, {}).setdefault(draw, []).append(
            float(strengths @ shifts / (strengths @ strengths))
        )
    return {
        condition: {
            "steerability": float(np.mean([np.mean(each) for each in draws.values()])),
            "spread": float(np.mean([np.std(each) for each in draws.values()])),
        }
        for condition, draws in slopes.items()
    }
