"""The reference of a propensity experiment: the strength, and all readings that do not involve the mapper."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from graftbench.benchmark.data.examples import Example
from graftbench.benchmark.experiments.bench import Bench
from graftbench.benchmark.experiments.conditions import Draws
from graftbench.benchmark.experiments.propensity.design import PropensityDesign
from graftbench.benchmark.experiments.propensity.readings import answers, read
from graftbench.benchmark.experiments.steering.contrast import (
    cached_contrast,
    mean_state,
    relabelled,
    with_target_covariance,
)
from graftbench.benchmark.experiments.steering.reference import best_strength
from graftbench.benchmark.interventions.conditions import Condition
from graftbench.benchmark.interventions.vectors import is_zero, norm_of, random_like
from graftbench.benchmark.results.rows import Answer

UNSTEERED = "unsteered"


@dataclass(frozen=True)
class PropensityReference:
    """The results of an experiment that all mappers share; `unsteered` has the propensity of each prompt by id."""

    strength: float
    unsteered: dict[str, float]
    answers: tuple[Answer, ...]
    contrast_reason: str | None  # why `random_contrast` is missing; None where it is not


def both_signs(strengths: Sequence[float]) -> list[float]:
    """Return strengths with their negatives, in order: how far a behaviour can be steered is a slope over both."""
    return sorted({*strengths, *(-strength for strength in strengths)})


def cached_reference(
    bench: Bench, design: PropensityDesign, strengths: Sequence[float], draws: Draws, seed: int
) -> PropensityReference:
    """Return the reference of an experiment, from the cache where it is there."""
    parts = [
        design.target.identity,
        design.target.device.type,
        design.sites[1],
        design.positions,
        design.added_at,
        design.task,
        [[asdict(turn) for turn in pair] for pair in design.contrast],
        *([asdict(item) for item in side] for side in (design.validation, design.test)),
        list(strengths),
        draws.parts,
        seed,
    ]
    made = bench.store.value("propensities", parts, lambda: asdict(_Run(bench, design, draws, seed).all(strengths)))
    return PropensityReference(**(made | {"answers": tuple(Answer(**answer) for answer in made["answers"])}))


def sweep_answers(
    bench: Bench, design: PropensityDesign, strengths: Sequence[float], draws: Draws, seed: int
) -> list[Answer]:
    """Return readings on validation prompts: unsteered, and native and random vectors at every strength."""
    return _Run(bench, design, draws, seed).sweep(strengths)[0]


class _Run:
    """The conditions of a reference, read on a bench."""

    def __init__(self, bench: Bench, design: PropensityDesign, draws: Draws, seed: int) -> None:
        self._bench, self._design, self._draws, self._seed = bench, design, draws, seed
        self._contrast = cached_contrast(bench.store, design.target, design, design.sites[1])
        self._native = self._contrast.vector

    def all(self, strengths: Sequence[float]) -> PropensityReference:
        """Return the reference. ValueError where the native vector is zero."""
        if is_zero(self._native):
            raise ValueError("the native vector is zero: the prompts of the contrast do not differ at this site")
        swept, on_validation = self.sweep(strengths)
        strength = best_strength([each for each in swept if (each.strength or 0) > 0], "native")
        reason = "constant_contrast" if self._contrast.constant else None
        tested, on_test = self._answers("test", self._design.test, self._test(strength, reason), "conditions, test")
        return PropensityReference(strength, on_validation | on_test, tuple(swept + tested), reason)

    def sweep(self, strengths: Sequence[float]) -> tuple[list[Answer], dict[str, float]]:
        """Return the readings at every strength of both signs, and the unsteered propensities."""
        noise = random_like(self._native, self._draws.validation, seed=self._seed + 1)
        conditions = [Condition(UNSTEERED)]
        for strength in [] if is_zero(self._native) else both_signs(strengths):
            conditions.append(self._design.adding("native", strength * self._native, 0, strength))
            conditions += [self._design.adding("random", strength * v, i, strength) for i, v in enumerate(noise)]
        return self._answers("validation", self._design.validation, conditions, "strengths, validation")

    def _answers(
        self, split: str, items: Sequence[Example], conditions: Sequence[Condition], label: str
    ) -> tuple[list[Answer], dict[str, float]]:
        """Return the answers, and the propensities under the first condition, which does nothing."""
        readings = read(self._bench, self._design, items, conditions, label)
        unsteered = {item.id: reading.propensity for item, reading in zip(items, readings[0], strict=True)}
        return answers(split, items, conditions, readings, unsteered, self._design.target.dtype), unsteered

    def _test(self, strength: float, reason: str | None) -> list[Condition]:
        native = strength * self._native
        noise = random_like(native, self._draws.test, seed=self._seed)
        conditions = [
            Condition(UNSTEERED),
            self._design.adding("native", native, 0, strength),
            *(self._design.adding("random", vector, i, strength) for i, vector in enumerate(noise)),
            *with_target_covariance(self._design, native, self._draws.covariance, strength, self._seed + 2),
            self._design.replacing("mean_ablated", mean_state(self._design, len(self._native))),
        ]
        if reason is None:
            norm = norm_of(native)
            conditions += relabelled(self._design, self._contrast, self._draws, norm, strength, self._seed)
        return conditions
