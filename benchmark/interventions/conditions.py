"""A condition: the interventions that a row of an experiment runs under."""

from collections.abc import Callable
from dataclasses import dataclass

from graftbench.benchmark.data.examples import Example
from graftbench.benchmark.interventions.generation import Row
from graftbench.benchmark.models.chat import Chat


def untouched(_: Example, text: Chat) -> Row:
    """Nothing is done."""
    return Row(text)


@dataclass(frozen=True, eq=False)
class Condition:
    """What is done to the model for a row; which random draw, how strong, and whether a mapper has a part in it."""

    name: str
    row: Callable[[Example, Chat], Row] = untouched
    draw: int = 0
    strength: float | None = None
    of_mapper: bool = False
