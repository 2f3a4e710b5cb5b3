"""Outcomes of judging a completion."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from graftbench.benchmark.data.examples import Example


@dataclass(frozen=True)
class Outcome:
    """The verdict on a completion: whether the behaviour is gone and the answer good; None where unscored.

    `marks` are further scores, reported with success as shares or means; `unscored` has the reason for each that is
    None. `took` is what the judges took: tokens read, tokens written, and dollars, None without known prices.
    """

    gone: bool | None
    good: bool | None
    reason: str = ""
    marks: Mapping[str, float | None] = field(default_factory=dict)
    unscored: Mapping[str, str] = field(default_factory=dict)
    took: tuple[int, int, float | None] = (0, 0, 0.0)

    @property
    def success(self) -> bool | None:
        """True where the behaviour is gone and the answer good; None where either is unscored."""
        return None if self.gone is None or self.good is None else self.gone and self.good


Judging = Callable[[Sequence[Example], Sequence[str]], list[Outcome]]
