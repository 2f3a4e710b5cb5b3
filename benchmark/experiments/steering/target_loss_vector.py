"""The vector that a map trained on the target's loss carries: a reference, the same for all mappers."""

from graftbench.benchmark.experiments.bench import Bench
from graftbench.benchmark.experiments.conditions import items_with_ids, run_conditions
from graftbench.benchmark.experiments.steering.contrast import cached_contrast
from graftbench.benchmark.experiments.steering.design import SteeringDesign
from graftbench.benchmark.experiments.steering.mapped import mapped_to_target
from graftbench.benchmark.experiments.steering.reference import SteeringReference
from graftbench.benchmark.experiments.target_loss import TARGET_LOSS
from graftbench.benchmark.interventions.vectors import Map, match_norms
from graftbench.benchmark.results.rows import Answer


def target_loss_answers(bench: Bench, design: SteeringDesign, reference: SteeringReference, carry: Map) -> list[Answer]:
    """Return the answers to test prompts under the vector that a map carries, with native's norms and strength."""
    source, native = (
        cached_contrast(bench.store, model, design, site)
        for model, site in zip((design.source, design.target), design.sites, strict=True)
    )
    vector = mapped_to_target(carry, "difference", design, source, len(native.vector))
    equal, strength = match_norms(vector, native.vector), reference.strength
    condition = design.adding(TARGET_LOSS, strength * equal, 0, strength)
    items, assessment = items_with_ids(design.test, reference.test), design.assessment(reference.clean)
    return run_conditions(bench, design.target, assessment, "test", items, [condition], TARGET_LOSS)
