"""A measured share with its interval, and the bar it has to clear."""

from dataclasses import asdict, dataclass
from typing import Any

from graftbench.benchmark.metrics.statistics import wilson


@dataclass(frozen=True)
class ZooFigure:
    """`hits` of `n`; a bar is a least or a greatest share, in the unit of the share."""

    hits: int
    n: int
    at_least: float | None = None
    at_most: float | None = None
    note: str = ""

    @property
    def share(self) -> float:
        """Hits / n."""
        return self.hits / self.n

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % Wilson interval of the share."""
        return wilson(self.hits, self.n)

    @property
    def missed(self) -> bool:
        """Whether the share misses its bar."""
        low = self.at_least is not None and self.share < self.at_least
        return low or (self.at_most is not None and self.share > self.at_most)

    def agrees(self, other: "ZooFigure") -> bool:
        """Whether the 95 % intervals of two measurements of the same quantity meet."""
        (a, b), (c, d) = self.interval, other.interval
        return a <= d and c <= b

    def to_json(self) -> dict[str, Any]:
        """A plain dict, without the bars that are not set."""
        return {key: value for key, value in asdict(self).items() if value not in (None, "")}


Figures = dict[str, ZooFigure]
