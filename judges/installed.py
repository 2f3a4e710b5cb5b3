"""A judge that a package offers by name, held to what a judge promises."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from graftbench.benchmark.errors import UserError

from .protocol import Case, Judge, Verdict

_PROMISED = ("identity", "scale", "binary")


@dataclass(frozen=True, eq=False)
class Installed:
    """The judge that `make` gives, with its verdicts counted and checked; UserError where it is none."""

    name: str
    make: Callable[[], Any]
    judge: Judge = field(init=False)

    def __post_init__(self) -> None:
        try:
            found = self.make()
        except TypeError as error:
            raise UserError(f"The judge {self.name} cannot be made without arguments: {error}.") from error
        missing = [name for name in _PROMISED if not hasattr(found, name)]
        if missing or not callable(found):
            raise UserError(f"The judge {self.name} has no {missing[0] if missing else '__call__'}: it is no judge.")
        object.__setattr__(self, "judge", found)

    @property
    def scale(self) -> tuple[float, float]:
        """Its scale."""
        return self.judge.scale

    @property
    def binary(self) -> bool:
        """Whether it says yes or no."""
        return self.judge.binary

    @property
    def identity(self) -> str:
        """Its identity."""
        return self.judge.identity

    def __call__(self, cases: Sequence[Case]) -> list[Verdict]:
        """Its verdicts; UserError where there are too few or too many of them, or one is neither yes nor no."""
        found = self.judge(cases)
        if len(found) != len(cases):
            raise UserError(f"The judge {self.name} gave {len(found)} verdicts on {len(cases)} completions.")
        for verdict in found:
            if self.binary and verdict.score not in (None, 0.0, 1.0):
                raise UserError(f"The judge {self.name} says yes or no, and scored {verdict.score:g}.")
        return found
