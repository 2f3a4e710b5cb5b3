"""What a mapper is: something fitted on paired activations that carries activations across."""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from graftbench.benchmark.activations.pairs import Pairs
from graftbench.benchmark.interventions.vectors import Map, VectorRule

Record = dict[str, Any]  # what goes on record about a fit: epochs, steps, losses, ... in JSON's terms


@runtime_checkable
class Mapper(Protocol):
    """Carries source activations [..., d_source] to target activations [..., d_target].

    An `nn.Module`, or a dataclass of tensors, numbers and strings, so that it is saved without code of its own.
    What else a class may say of itself, by class attributes: `name`; `vector_rule`, how it carries vectors
    ("difference" where it does not say); `deterministic = True` where the seed changes nothing. A constructor
    that takes `d_source` and `d_target` is given them; its other parameters are the options.
    """

    name: str

    def fit(self, pairs: Pairs, *, seed: int) -> Record | None:
        """Learn from `pairs`; returns what should go on record."""

    def __call__(self, source: Tensor) -> Tensor:
        """Carry activations across."""


@dataclass(frozen=True, eq=False)
class FittedMapper:
    """A fitted mapper as experiments use it; `identity` stands for it where work is kept."""

    carry: Map
    rule: VectorRule
    identity: str
    held_out: Pairs  # that it was not fitted on
    others: tuple["FittedMapper", ...] = ()  # the mapper as it was fitted at the experiment's further sites
