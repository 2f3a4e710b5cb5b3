"""Rows and conditions: a prompt with its interventions, and the rule that gives each prompt its row."""

from collections.abc import Callable
from dataclasses import dataclass

from graftbench.benchmark.data.examples import Example
from graftbench.benchmark.interventions.cross_model import Follow
from graftbench.benchmark.interventions.operators import Intervention
from graftbench.benchmark.models.chat import Chat


@dataclass(frozen=True, eq=False)
class Row:
    """A prompt in the model's chat format, and the interventions under which it is read and completed.

    A row that follows another model needs the prompt in that model's format, too.
    """

    text: Chat
    interventions: tuple[Intervention, ...] = ()
    follow: Follow | None = None
    source_text: Chat | None = None


def untouched(_: Example, text: Chat) -> Row:
    """Return a row without interventions."""
    return Row(text)


@dataclass(frozen=True, eq=False)
class Condition:
    """A named way to treat every prompt: `row` returns the prompt with its interventions.

    `draw` numbers the random vectors of one name, `strength` is None where a condition has none, and `of_mapper` is
    true where the mapper is involved.
    """

    name: str
    row: Callable[[Example, Chat], Row] = untouched
    draw: int = 0
    strength: float | None = None
    of_mapper: bool = False
