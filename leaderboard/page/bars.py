"""Figures as they are drawn: where a bar and its interval lie, and what stands beside them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from statistics import fmean

from graftbench.benchmark.results.schema import AtStrength, Rate, Score, TaskScore, Transfer

LEAST, MOST = -25.0, 125.0  # of scores that are drawn; what lies beyond is cut there
SPARK_WIDTH, SPARK_HEIGHT = 72, 20


@dataclass(frozen=True)
class Bar:
    """A figure between 0 and 1 of the width, with its interval, or why there is none."""

    text: str
    interval: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    zero: float = 0.0
    reason: str = ""

    @property
    def start(self) -> float:
        """Where the bar begins: at zero, or at the value where that is less."""
        return min(self.zero, self.value or 0.0)

    @property
    def width(self) -> float:
        """How wide the bar is."""
        return abs((self.value or 0.0) - self.zero)


def of_rate(found: Rate | None) -> Bar:
    """The bar of a success rate."""
    if found is None or found.value is None:
        return Bar("-", reason=words(found.reason) if found else "not run")
    return Bar(f"{found.value:z.2f}", _interval(found.low, found.high, 2), found.value, found.low, found.high)


def over_seeds(bars: Sequence[Bar]) -> Bar:
    """The mean over a mapper's seeds, and from where to where they reach; the bar itself where there is one alone."""
    if len(bars) == 1:
        return bars[0]
    missing = [bar for bar in bars if bar.value is None]
    if missing:
        return missing[0]
    values = [bar.value for bar in bars if bar.value is not None]
    low, high = min(values), max(values)
    told = f"{low:z.2f} to {high:z.2f} over {len(bars)} seeds"
    return Bar(f"{fmean(values):z.2f}", told, fmean(values), low, high)


def of_transfer(found: Transfer | None) -> Bar:
    """A transfer, in words."""
    if found is None or found.value is None:
        return Bar("-", reason=words(found.reason) if found else "not run")
    return Bar(f"{found.value:z.2f}", _interval(found.low, found.high, 2), found.value, found.low, found.high)


def of_score(found: Score | TaskScore) -> Bar:
    """The bar of a score; zero lies a sixth of the width to the right, for scores may be below it."""
    if found.score is None or found.low is None or found.high is None:
        return Bar("-", reason=words(found.reason))
    at = (_share(found.score), _share(found.low), _share(found.high))
    return Bar(f"{found.score:z.1f}", _interval(found.low, found.high, 1), *at, zero=_share(0.0))


@dataclass(frozen=True)
class Spark:
    """Success over what was tried, as a line: its points, and the same in words."""

    points: str
    text: str


def spark(tried: Sequence[Sequence[AtStrength]]) -> Spark | None:
    """The line of a condition over strengths, in the mean over seeds; None where nothing was tried."""
    found: dict[float, list[float]] = {}
    for one in chain(*tried):
        found.setdefault(one.strength, []).append(one.value)
    return line([(f"{strength:g}", fmean(values)) for strength, values in sorted(found.items())])


def line(values: Sequence[tuple[str, float]]) -> Spark | None:
    """A line through values between 0 and 1, from left to right; None without any."""
    if not values:
        return None
    step = SPARK_WIDTH / max(1, len(values) - 1)
    points = " ".join(f"{i * step:.0f},{SPARK_HEIGHT * (1 - value):.1f}" for i, (_, value) in enumerate(values))
    return Spark(points, ", ".join(f"{name}: {value:.2f}" for name, value in values))


def words(reason: str | None) -> str:
    """A reason as words."""
    return (reason or "").replace("_", " ")


def _share(score: float) -> float:
    return round((min(max(score, LEAST), MOST) - LEAST) / (MOST - LEAST), 4)


def _interval(low: float | None, high: float | None, digits: int) -> str:
    return "" if low is None or high is None else f"{low:z.{digits}f} to {high:z.{digits}f}"
