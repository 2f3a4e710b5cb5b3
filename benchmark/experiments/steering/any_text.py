"""The vectors of an experiment on any text, for side effects."""

from typing import Protocol

from torch import Tensor

from graftbench.benchmark.core.store import Store
from graftbench.benchmark.experiments.bench import Bench
from graftbench.benchmark.experiments.conditions import Draws
from graftbench.benchmark.experiments.protocol import AnyText
from graftbench.benchmark.experiments.replacement import replacement_condition
from graftbench.benchmark.experiments.steering.contrast import cached_contrast
from graftbench.benchmark.experiments.steering.design import VectorDesign
from graftbench.benchmark.experiments.steering.mapped import mapped_to_target
from graftbench.benchmark.interventions.vectors import is_zero, match_norms, means_over_positions, random_like
from graftbench.benchmark.mappers.protocol import FittedMapper


class VectorExperiment(Protocol):
    """An experiment that adds a vector."""

    @property
    def design(self) -> VectorDesign:
        """Where the vector comes from and goes."""

    @property
    def bench(self) -> Bench:
        """Cache and settings."""

    @property
    def draws(self) -> Draws:
        """Numbers of random vectors."""

    @property
    def seed(self) -> int:
        """Seed of the random vectors."""


def both_vectors(store: Store, design: VectorDesign, mapper: FittedMapper) -> tuple[Tensor, Tensor]:
    """Return the native vector of the target, and the source's mapped to it, both [positions, d]."""
    source, native = (
        cached_contrast(store, model, design, site)
        for model, site in zip((design.source, design.target), design.sites, strict=True)
    )
    return native.vector, mapped_to_target(mapper.carry, mapper.rule, design, source, len(native.vector))


def vector_of_refit(store: Store, design: VectorDesign, mapper: FittedMapper) -> Tensor | None:
    """Return the source's vector [positions, d] as the mapper carries it that was fitted on shuffled pairs.

    None where there is none, or where it is not finite: such a fit need not have converged.
    """
    if mapper.shuffled is None:
        return None
    try:
        return both_vectors(store, design, mapper.shuffled)[1]
    except FloatingPointError:
        return None


def on_any_text(experiment: VectorExperiment, mapper: FittedMapper, strength: float, draws: int) -> AnyText:
    """Return native, mapped and random vectors at the design's positions and everywhere, and full replacement."""
    design = experiment.design
    native, mapped = both_vectors(experiment.bench.store, design, mapper)
    native, equal = strength * native, strength * match_norms(mapped, native)
    noise = list(random_like(native, experiment.draws.test, seed=experiment.seed))[:draws]
    vectors = {"native": [native], "mapped": [] if is_zero(equal) else [equal], "random": noise}
    replaced = {"replacement": [replacement_condition(design.source, design.sites, mapper)]}
    deployed = {name: [design.adding(name, v) for v in some] for name, some in vectors.items()}
    stressed = {
        name: [design.everywhere(name, v) for v in means_over_positions(some, native)] for name, some in vectors.items()
    }
    at_all = design.added_at is not None
    return AnyText(design.target, design.words, deployed | replaced, None if at_all else stressed | replaced)
