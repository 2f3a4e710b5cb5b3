"""What depends on the mapper: its vector in the target, at native's norms, at its own, and at its best.

At every position the mapped vector is as long as native's there, as random vectors are. With the same norm over all
positions only, a vector that is long where native's is short would disrupt more than what it is measured against.
"""

from dataclasses import dataclass
from functools import partial

from torch import Tensor

from graftbench.benchmark.experiments.bench import Bench
from graftbench.benchmark.experiments.conditions import ZERO, answers, chosen, with_zero_vector
from graftbench.benchmark.experiments.steering.design import SteeringDesign
from graftbench.benchmark.experiments.steering.reference import Contrast, SteeringReference, best_strength
from graftbench.benchmark.interventions.vectors import is_zero, mapped_vector, match_norms, norm_of
from graftbench.benchmark.mappers.protocol import FittedMapper
from graftbench.benchmark.results.answers import Answer


@dataclass(frozen=True)
class Graft:
    """What a mapped vector does."""

    answers: tuple[Answer, ...]
    best_strength: float | None
    reason: str | None  # why there is no mapped condition at equal norm
    norm_ratio: float  # of mapped over native
    cosine: float | None  # of mapped and native, over all positions


def carried(carrier: FittedMapper, setting: SteeringDesign, contrast: Contrast, n_positions: int) -> Tensor:
    """The source's vector in the target [positions, d], zero where no position of the source belongs to one.

    FloatingPointError where it is not finite.
    """
    vector = mapped_vector(carrier.carry, contrast.desired, contrast.undesired, carrier.rule)
    if not vector.isfinite().all():
        raise FloatingPointError("the mapped vector is not finite")
    ours, theirs = setting.places
    placed = vector.new_zeros(n_positions, vector.shape[-1])
    placed[[place + n_positions for place in theirs]] = vector[[place + len(vector) for place in ours]]
    return placed


def graft(bench: Bench, setting: SteeringDesign, known: SteeringReference, native: Tensor, mapped: Tensor) -> Graft:
    """Run the mapped vector on validation and test prompts, beside the ground that is known."""
    ratio = norm_of(mapped) / norm_of(native)
    equal = match_norms(mapped, native)
    own_norm = setting.adding("mapped_own_norm", known.strength * mapped, 0, known.strength, True)
    validation, test = chosen(setting.validation, known.validation), chosen(setting.test, known.test)
    run = partial(answers, bench, setting.target, setting.judging)
    if is_zero(mapped):
        own = with_zero_vector(known.of("test", "unsteered"), known.strength)
        return Graft(tuple(own), None, ZERO, ratio, None)
    if is_zero(equal):  # where native is long the mapped vector is zero, and the other way round
        return Graft(tuple(run("test", test, [own_norm], "mapped, test")), None, ZERO, ratio, 0.0)
    strengths = sorted({a.strength for a in known.of("validation", "native") if a.strength is not None})
    sweep = [setting.adding("mapped", s * equal, 0, s, True) for s in strengths]
    swept = run("validation", validation, sweep, "mapped, validation")
    best = best_strength([*swept, *known.of("validation", "random")], "mapped")
    conditions = [
        setting.adding("mapped", known.strength * equal, 0, known.strength, True),
        own_norm,
        setting.adding("mapped_best", best * equal, 0, best, True),
    ]
    found = run("test", test, conditions, "mapped, test")
    cosine = float((mapped * native).sum() / (norm_of(mapped) * norm_of(native)))
    return Graft(tuple(swept + found), best, None, ratio, cosine)
