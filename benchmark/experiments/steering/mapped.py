"""The mapped vector in the target: at native's norms, at its own norm, and at its best strength.

At every position the mapped vector gets native's norm there, as random vectors do. With equal norms over all positions
only, a vector that is long where native's is short would disrupt more than the vectors it is compared with.
"""

from dataclasses import dataclass
from functools import partial

from torch import Tensor

from graftbench.benchmark.experiments.bench import Bench
from graftbench.benchmark.experiments.conditions import (
    MAPPED_SHUFFLED,
    ZERO_VECTOR,
    items_with_ids,
    run_conditions,
    with_zero_vector,
)
from graftbench.benchmark.experiments.steering.contrast import Contrast
from graftbench.benchmark.experiments.steering.design import SteeringDesign, VectorDesign
from graftbench.benchmark.experiments.steering.reference import SteeringReference, best_strength
from graftbench.benchmark.interventions.rules import VectorRule
from graftbench.benchmark.interventions.vectors import Map, is_zero, mapped_vector, match_norms, norm_of
from graftbench.benchmark.results.rows import Answer


@dataclass(frozen=True)
class MappedRun:
    """The answers under a mapped vector, and its likeness to native's."""

    answers: tuple[Answer, ...]
    best_strength: float | None
    reason: str | None  # why there is no mapped condition at equal norm
    norm_ratio: float  # of mapped over native
    cosine: float | None  # of mapped and native, over all positions


def mapped_to_target(
    carry: Map, rule: VectorRule, design: VectorDesign, contrast: Contrast, n_positions: int
) -> Tensor:
    """Return the source's vector in the target [positions, d], zero where no position of the source is paired.

    FloatingPointError where it is not finite.
    """
    vector = mapped_vector(carry, contrast.desired, contrast.undesired, rule)
    if not vector.isfinite().all():
        raise FloatingPointError("the mapped vector is not finite")
    of_source, of_target = design.places
    placed = vector.new_zeros(n_positions, vector.shape[-1])
    placed[[p + n_positions for p in of_target]] = vector[[p + len(vector) for p in of_source]]
    return placed


def run_mapped(
    bench: Bench,
    design: SteeringDesign,
    reference: SteeringReference,
    native: Tensor,
    mapped: Tensor,
    shuffled: Tensor | None,
) -> MappedRun:
    """Run the mapped vector on validation and test prompts; vectors are [positions, d], `native` at strength 1.

    `shuffled` is the vector as the mapper carries it that was fitted on shuffled pairs.
    """
    ratio = norm_of(mapped) / norm_of(native)
    equal = match_norms(mapped, native)
    own_norm = design.adding("mapped_own_norm", reference.strength * mapped, 0, reference.strength, True)
    validation, test = (
        items_with_ids(design.validation, reference.validation),
        items_with_ids(design.test, reference.test),
    )
    run = partial(run_conditions, bench, design.target, design.assessment(reference.clean))
    if is_zero(mapped):
        own = with_zero_vector(reference.of("test", "unsteered"), reference.strength)
        return MappedRun(tuple(own), None, ZERO_VECTOR, ratio, None)
    if is_zero(equal):  # where native is long the mapped vector is zero, and the other way round
        return MappedRun(tuple(run("test", test, [own_norm], "mapped, test")), None, ZERO_VECTOR, ratio, 0.0)
    strengths = sorted({a.strength for a in reference.of("validation", "native") if a.strength is not None})
    sweep = [design.adding("mapped", s * equal, 0, s, True) for s in strengths]
    swept = run("validation", validation, sweep, "mapped, validation")
    best = best_strength([*swept, *reference.of("validation", "random")], "mapped")
    conditions = [
        design.adding("mapped", reference.strength * equal, 0, reference.strength, True),
        own_norm,
        design.adding("mapped_best", best * equal, 0, best, True),
    ]
    null = None if shuffled is None else match_norms(shuffled, native)
    if null is not None and not is_zero(null):
        conditions.append(design.adding(MAPPED_SHUFFLED, reference.strength * null, 0, reference.strength, True))
    on_test = run("test", test, conditions, "mapped, test")
    cosine = float((mapped * native).sum() / (norm_of(mapped) * norm_of(native)))
    return MappedRun(tuple(swept + on_test), best, None, ratio, cosine)
