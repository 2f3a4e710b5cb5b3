"""The mapper protocol, and a fitted mapper as experiments use it."""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from graftbench.benchmark.activations.pairs import Pairs
from graftbench.benchmark.interventions.rules import VectorRule
from graftbench.benchmark.interventions.vectors import Map

TrainingRecord = dict[str, Any]  # JSON values that are stored with a fit: epochs, steps, losses, ...


@runtime_checkable
class Mapper(Protocol):
    """A map from source activations [..., d_source] to target activations [..., d_target].

    It is an `nn.Module`, or a dataclass of tensors, numbers and strings, so that it can be saved without code of its
    own. Class attributes: `name`; `vector_rule`, how it maps vectors ("difference" by default); `deterministic = True`
    where the seed changes nothing. A constructor that takes `d_source` and `d_target` is given them; its other
    parameters are the options.
    """

    name: str

    def fit(self, pairs: Pairs, *, seed: int) -> TrainingRecord | None:
        """Learn from `pairs`, and return what should be recorded in the entry."""

    def __call__(self, source: Tensor) -> Tensor:
        """Map activations [..., d_source] to [..., d_target]."""


@dataclass(frozen=True, eq=False)
class FittedMapper:
    """A fitted mapper as experiments use it; `identity` stands for it in cache keys."""

    carry: Map  # [..., d_source] to [..., d_target]
    rule: VectorRule
    identity: str
    held_out: Pairs  # pairs that it was not fitted on
    others: tuple["FittedMapper", ...] = ()  # the mapper as fitted at the experiment's further sites
    shuffled: "FittedMapper | None" = None  # the mapper as fitted on pairs that do not belong together
