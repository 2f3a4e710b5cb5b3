"""Outcomes of judging a completion."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from graftbench.benchmark.data.examples import Example


@dataclass(frozen=True)
class Outcome:
    """What a judge says of a completion: whether the behaviour is gone and the answer good; None where unscored.

    `marks` are what else it says, reported as shares or means beside success; `unscored` says why one of them is None.
    `took` is what the judges of it took: tokens read, tokens written, dollars, None where no prices are known.
    """

    gone: bool | None
    good: bool | None
    reason: str = ""
    marks: Mapping[str, float | None] = field(default_factory=dict)
    unscored: Mapping[str, str] = field(default_factory=dict)
    took: tuple[int, int, float | None] = (0, 0, 0.0)

    @property
    def success(self) -> bool | None:
        """Gone and good; None where either is unscored."""
        return None if self.gone is None or self.good is None else self.gone and self.good


Judging = Callable[[Sequence[Example], Sequence[str]], list[Outcome]]
