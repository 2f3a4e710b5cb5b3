"""The reference of a steering experiment: clean answers, strength, and conditions that do not involve the mapper."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from graftbench.benchmark.data.examples import Example
from graftbench.benchmark.experiments.bench import Bench
from graftbench.benchmark.experiments.conditions import CleanAnswers, Draws, clean_answers, run_conditions
from graftbench.benchmark.experiments.steering.contrast import (
    cached_contrast,
    mean_state,
    relabelled,
    with_target_covariance,
)
from graftbench.benchmark.experiments.steering.design import SteeringDesign
from graftbench.benchmark.interventions.conditions import Condition
from graftbench.benchmark.interventions.vectors import is_zero, norm_of, random_like
from graftbench.benchmark.results.rows import Answer, scored_everywhere


@dataclass(frozen=True)
class SteeringReference:
    """The results of an experiment that all mappers share."""

    strength: float
    n_asked: int  # test prompts, before those without a good clean answer were dropped
    validation: tuple[str, ...]  # ids of the prompts with a good clean answer
    test: tuple[str, ...]
    clean: dict[str, str]  # id -> clean answer
    answers: tuple[Answer, ...]
    contrast_reason: str | None  # why `random_contrast` is missing; None where it is not

    def of(self, split: str, condition: str) -> list[Answer]:
        """Return the answers of one split under one condition."""
        return [a for a in self.answers if a.split == split and a.condition == condition]


def cached_reference(
    bench: Bench, design: SteeringDesign, strengths: Sequence[float], draws: Draws, seed: int
) -> SteeringReference:
    """Return the reference of an experiment, from the cache where it is there."""
    parts = [
        design.target.identity,
        design.target.device.type,
        design.sites[1],
        design.positions,
        design.added_at,
        design.spoken,
        design.judges,
        [[asdict(turn) for turn in pair] for pair in design.contrast],
        *([asdict(item) for item in side] for side in (design.validation, design.test)),
        bench.batch_size,
        bench.max_new_tokens,
        list(strengths),
        draws.parts,
        seed,
    ]
    record = bench.store.value("references", parts, lambda: asdict(_Run(bench, design, draws, seed).all(strengths)))
    return read_reference(record)


def sweep_answers(
    bench: Bench, design: SteeringDesign, strengths: Sequence[float], draws: Draws, seed: int
) -> list[Answer]:
    """Return answers on validation prompts: unsteered, and native and random vectors at every strength."""
    run = _Run(bench, design, draws, seed)
    return run.sweep(run.clean(design.validation, "clean answers, validation"), strengths)


def read_reference(record: dict[str, Any]) -> SteeringReference:
    """Return the reference of a JSON record."""
    answers = tuple(Answer(**answer) for answer in record["answers"])
    ids = {name: tuple(record[name]) for name in ("validation", "test")}
    return SteeringReference(**(record | ids | {"answers": answers}))


class _Run:
    """The conditions of a reference, run on a bench."""

    def __init__(self, bench: Bench, design: SteeringDesign, draws: Draws, seed: int) -> None:
        self._bench, self._design, self._draws, self._seed = bench, design, draws, seed
        self._contrast = cached_contrast(bench.store, design.target, design, design.sites[1])
        self._native = self._contrast.vector

    def all(self, strengths: Sequence[float]) -> SteeringReference:
        """Return the reference. ValueError where the native vector is zero."""
        if is_zero(self._native):
            raise ValueError("the native vector is zero: the prompts of the contrast do not differ at this site")
        validation = self.clean(self._design.validation, "clean answers, validation")
        test = self.clean(self._design.test, "clean answers, test")
        swept = self.sweep(validation, strengths)
        strength = best_strength(swept, "native")
        reason = "constant_contrast" if self._contrast.constant else None
        return SteeringReference(
            strength,
            len(self._design.test),
            tuple(item.id for item in validation.items),
            tuple(item.id for item in test.items),
            validation.good | test.good,
            tuple(validation.answers + test.answers + swept + self._test(test, strength, reason)),
            reason,
        )

    def clean(self, items: Sequence[Example], label: str) -> CleanAnswers:
        """Return the clean answers to some prompts."""
        return clean_answers(self._bench, self._design.target, self._design.judging, items, label)

    def sweep(self, clean: CleanAnswers, strengths: Sequence[float]) -> list[Answer]:
        """Return unsteered answers, and those under native and random vectors at every strength.

        Where the native vector is zero, only the unsteered ones. Prompts with an unscored answer are left out.
        """
        noise = random_like(self._native, self._draws.validation, seed=self._seed + 1)
        conditions = [Condition("unsteered")]
        for strength in () if is_zero(self._native) else strengths:
            conditions.append(self._design.adding("native", strength * self._native, 0, strength))
            conditions += [self._design.adding("random", strength * v, i, strength) for i, v in enumerate(noise)]
        answers = self._answers("validation", clean, conditions, "strengths, validation")
        scored = scored_everywhere(answers)
        return [answer for answer in answers if answer.item in scored]

    def _test(self, clean: CleanAnswers, strength: float, reason: str | None) -> list[Answer]:
        native = strength * self._native
        noise = random_like(native, self._draws.test, seed=self._seed)
        conditions = [
            Condition("unsteered"),
            self._design.adding("native", native, 0, strength),
            *(self._design.adding("random", vector, i, strength) for i, vector in enumerate(noise)),
            *with_target_covariance(self._design, native, self._draws.covariance, strength, self._seed + 2),
            self._design.replacing("mean_ablated", mean_state(self._design, len(self._native))),
        ]
        if reason is None:
            norm = norm_of(native)
            conditions += relabelled(self._design, self._contrast, self._draws, norm, strength, self._seed)
        answers = self._answers("test", clean, conditions, "conditions, test")
        scored_everywhere(answers)  # a reference without all verdicts is an error, and is not cached
        return answers

    def _answers(self, split: str, clean: CleanAnswers, conditions: Sequence[Condition], label: str) -> list[Answer]:
        target, assessment = self._design.target, self._design.assessment(clean.good)
        return run_conditions(self._bench, target, assessment, split, clean.items, conditions, label)


def best_strength(swept: Sequence[Answer], condition: str) -> float:
    """Return the strength where `condition` is furthest ahead of random vectors on validation; on a tie the smaller."""
    strengths = sorted({a.strength for a in swept if a.condition == condition and a.strength is not None})
    return max(strengths, key=lambda strength: ahead(swept, condition, strength))


def ahead(swept: Sequence[Answer], condition: str, strength: float) -> float:
    """Return the success rate of a condition minus that of random vectors, at one strength."""
    return round(_rate(swept, condition, strength) - _rate(swept, "random", strength), 9)  # so that equal rates tie


def _rate(swept: Sequence[Answer], condition: str, strength: float) -> float:
    successes = [a.success for a in swept if a.condition == condition and a.strength == strength]
    scored = [success for success in successes if success is not None]
    return sum(scored) / len(scored) if scored else 0.0
