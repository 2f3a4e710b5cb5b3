"""A measured share with its interval, and the bar it has to clear."""

from dataclasses import asdict, dataclass
from typing import Any

from graftbench.benchmark.metrics.statistics import wilson


@dataclass(frozen=True)
class ZooFigure:
    """A share, `hits` of `n`, with a bar that it should reach (`at_least`) or not exceed (`at_most`)."""

    hits: int
    n: int
    at_least: float | None = None
    at_most: float | None = None
    note: str = ""

    @property
    def share(self) -> float:
        """Share of hits."""
        return self.hits / self.n

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson interval of the share, 95 %."""
        return wilson(self.hits, self.n)

    @property
    def missed(self) -> bool:
        """True where the share misses its bar."""
        low = self.at_least is not None and self.share < self.at_least
        return low or (self.at_most is not None and self.share > self.at_most)

    def agrees(self, other: "ZooFigure") -> bool:
        """Return whether the 95 % intervals of two measurements of one quantity overlap."""
        (a, b), (c, d) = self.interval, other.interval
        return a <= d and c <= b

    def to_json(self) -> dict[str, Any]:
        """Return a plain dict, without the bars that are not set."""
        return {key: value for key, value in asdict(self).items() if value not in (None, "")}


Figures = dict[str, ZooFigure]
