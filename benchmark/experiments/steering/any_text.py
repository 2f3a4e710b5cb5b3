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


def native_vector(store: Store, design: VectorDesign) -> Tensor:
    """Return the native vector of the target [positions, d]."""
    return cached_contrast(store, design.target, design, design.sites[1]).vector


def both_vectors(store: Store, design: VectorDesign, mapper: FittedMapper) -> tuple[Tensor, Tensor]:
    """Return the native vector of the target, and the source's mapped to it, both [positions, d]."""
    source = cached_contrast(store, design.source, design, design.sites[0])
    native = native_vector(store, design)
    return native, mapped_to_target(mapper.carry, mapper.rule, design, source, len(native))


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


def on_any_text(experiment: VectorExperiment, mapper: FittedMapper | None, strength: float, draws: int) -> AnyText:
    """Return native, mapped and random vectors at the design's positions and everywhere, and full replacement."""
    design, store = experiment.design, experiment.bench.store
    native = strength * native_vector(store, design)
    vectors, replaced = {"native": [native]}, {}
    if mapper is not None:
        equal = strength * match_norms(both_vectors(store, design, mapper)[1], native_vector(store, design))
        vectors["mapped"] = [] if is_zero(equal) else [equal]
        replaced["replacement"] = [replacement_condition(design.source, design.sites, mapper)]
    vectors["random"] = list(random_like(native, experiment.draws.test, seed=experiment.seed))[:draws]
    deployed = {name: [design.adding(name, v) for v in some] for name, some in vectors.items()}
    stressed = {
        name: [design.everywhere(name, v) for v in means_over_positions(some, native)] for name, some in vectors.items()
    }
    at_all = design.added_at is not None
    return AnyText(design.target, design.words, deployed | replaced, None if at_all else stressed | replaced)
