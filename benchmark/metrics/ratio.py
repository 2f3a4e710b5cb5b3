"""The 95 % interval of a pooled transfer.

The rates of mapped and native have Wilson's limits, with as many prompts as their variance over clusters is worth, so
that no success out of n has an interval of its own length. The limits of the transfer follow by MOVER, the method of
variance estimates recovery, for a ratio of two differences (Zou and Donner, 2008, Statistics in Medicine 27; Donner and
Zou, 2012, Statistical Methods in Medical Research 21); with symmetric limits that is Fieller's interval, which stays
right where native adds little. The critical value is Student's, with Satterthwaite's degrees of freedom.
"""

from collections.abc import Sequence
from math import inf, sqrt

from graftbench.benchmark.metrics.pooled import Floats, Pooled
from graftbench.benchmark.metrics.student import Z_95, freedom_of, t_of


def interval_of(pooled: Pooled, z: float = Z_95) -> tuple[float, float]:
    """Return the limits of a transfer; infinite where native's gain may be 0."""
    variances, freedoms = zip(*pooled.components, strict=True)
    t = float(t_of(z, freedom_of(variances, freedoms)))
    ours, seeded = pooled.references, pooled.seeded[0]
    covariance = pooled.covariance.copy()
    covariance[2, 2] += sum(variance for variance, _ in ours.drawn)
    mapped = _reach(pooled.mapped, covariance[0, 0], ours.possible, ours.effective_clusters, t)
    native = _reach(ours.native, covariance[1, 1], 1.0, ours.effective_clusters, t)
    baseline = _reach(ours.baseline, covariance[2, 2], 1.0, inf, t)
    covariance[0, 0] += seeded
    low, high = (
        _limit(pooled, covariance, side, (sqrt(mapped[i] ** 2 + t * t * seeded), native[1 - i], baseline[1 - i]))
        for i, side in enumerate((-1, 1))
    )
    return low, high


def _reach(rate: float, variance: float, possible: float, clusters: float, t: float) -> tuple[float, float]:
    """Return how far Wilson's limits of a rate are below and above it; the rate is at most `possible`."""
    share = min(1.0, rate / possible) if possible else 0.0
    within = share * (1 - share) * possible**2
    n = within / variance if variance > 0 and within > 0 else clusters
    centre = (share + t * t / (2 * n)) / (1 + t * t / n)
    half = t / (1 + t * t / n) * sqrt(share * (1 - share) / n + (t / (2 * n)) ** 2)
    return possible * (share - max(0.0, centre - half)), possible * (min(1.0, centre + half) - share)


def _limit(pooled: Pooled, covariance: Floats, side: int, reaches: Sequence[float]) -> float:
    """Return the limit on one side, given how far the rates of mapped, native and the baseline may be off there."""
    mapped, native, baseline = reaches

    def product(i: int, j: int) -> float:
        both = covariance[i, i] * covariance[j, j]
        return reaches[i] * reaches[j] * float(covariance[i, j]) / sqrt(both) if both > 0 else 0.0

    above = mapped**2 + baseline**2 - 2 * product(0, 2)
    below = native**2 + baseline**2 - 2 * product(1, 2)
    both = product(0, 1) - product(0, 2) - product(1, 2) + baseline**2
    value, gain = pooled.mapped - pooled.references.baseline, pooled.gain
    a, b, c = gain**2 - below, value * gain - both, value**2 - above
    if a <= 0:
        return side * inf
    return (b + side * sqrt(max(0.0, b * b - a * c))) / a
