"""Figures as bars and lines: positions for drawing, and the words next to them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from statistics import fmean
from typing import Any

from graftbench.benchmark.results.schema import AtStrength, Rate, Transfer

MIN_SCORE, MAX_SCORE = -25.0, 125.0  # scores beyond are drawn at the edge
SPARK_WIDTH, SPARK_HEIGHT = 72, 20


@dataclass(frozen=True)
class Bar:
    """A figure and its interval, as shares of the width, or the reason why there is none."""

    text: str
    interval: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    zero: float = 0.0
    reason: str = ""

    @property
    def start(self) -> float:
        """The left end of the bar: zero, or the value where it is negative."""
        return min(self.zero, self.value or 0.0)

    @property
    def width(self) -> float:
        """The width of the bar."""
        return abs((self.value or 0.0) - self.zero)


def bar_of(figure: Rate | None) -> Bar:
    """Return the bar of a success rate."""
    if figure is None or figure.value is None:
        return _no_bar(figure)
    interval = _interval(figure.low, figure.high, 2)
    return Bar(f"{figure.value:z.2f}", interval, figure.value, figure.low, figure.high)


def bar_of_transfer(figure: Transfer | None) -> Bar:
    """Return the bar of a transfer, with both of its intervals in words."""
    if figure is None or figure.value is None or figure.prediction is None:
        return _no_bar(figure)
    if figure.confidence is None:
        confidence, low, high = "no limits", None, None
    else:
        low, high = figure.confidence
        confidence = _interval(low, high, 2)
    interval = f"{confidence}; prediction {_interval(*figure.prediction, 2)}"
    return Bar(f"{figure.value:z.2f}", interval, figure.value, low, high)


def _no_bar(figure: Rate | Transfer | None) -> Bar:
    return Bar("-", reason=words(figure.reason) if figure else "not run")


def bar_over_seeds(bars: Sequence[Bar]) -> Bar:
    """Return the mean over seeds with their range; the bar itself where there is one seed."""
    if len(bars) == 1:
        return bars[0]
    missing = [bar for bar in bars if bar.value is None]
    if missing:
        return missing[0]
    values = [bar.value for bar in bars if bar.value is not None]
    low, high = min(values), max(values)
    interval = f"{low:z.2f} to {high:z.2f} over {len(bars)} seeds"
    return Bar(f"{fmean(values):z.2f}", interval, fmean(values), low, high)


def bar_of_score(figure: Mapping[str, Any] | None) -> Bar:
    """Return the bar of a score; zero is a sixth of the width to the right, for scores may be negative."""
    if figure is None or figure["score"] is None:
        return Bar("-", reason=words(figure["reason"]) if figure else "")
    score, low, high = (figure[name] for name in ("score", "low", "high"))
    return Bar(f"{score:z.1f}", _interval(low, high, 1), _share(score), _share(low), _share(high), zero=_share(0.0))


@dataclass(frozen=True)
class Spark:
    """A small line chart: the points of its line, and the values in words."""

    points: str
    text: str


def spark_of_sweep(sweeps: Sequence[Sequence[AtStrength]]) -> Spark | None:
    """Return the line of a condition over strengths, as the mean over seeds; None without any points."""
    values: dict[float, list[float]] = {}
    for point in chain(*sweeps):
        values.setdefault(point.strength, []).append(point.value)
    return spark([(f"{strength:g}", fmean(at_strength)) for strength, at_strength in sorted(values.items())])


def spark(values: Sequence[tuple[str, float]]) -> Spark | None:
    """Return a line through labelled values between 0 and 1, from left to right; None without any."""
    if not values:
        return None
    step = SPARK_WIDTH / max(1, len(values) - 1)
    points = " ".join(f"{i * step:.0f},{SPARK_HEIGHT * (1 - value):.1f}" for i, (_, value) in enumerate(values))
    return Spark(points, ", ".join(f"{name}: {value:.2f}" for name, value in values))


def words(reason: str | None) -> str:
    """Return a reason as words."""
    return (reason or "").replace("_", " ")


def _share(score: float) -> float:
    return round((min(max(score, MIN_SCORE), MAX_SCORE) - MIN_SCORE) / (MAX_SCORE - MIN_SCORE), 4)


def _interval(low: float | None, high: float | None, digits: int) -> str:
    return "" if low is None or high is None else f"{low:z.{digits}f} to {high:z.{digits}f}"
