"""The form that closed-form mappers take: a matrix and an offset."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from graftbench.benchmark.activations.pairs import Pairs, Rows


@dataclass
class Moments:
    """Count, means and centred second moments of source and target rows, in float64.

    Sums are taken about the means of the first rows seen: those about zero lose digits where a few dimensions
    are large, as they are in real models.
    """

    n: int
    mean_source: Tensor
    mean_target: Tensor
    source: Tensor  # [d_source, d_source], sum of outer products of centred rows
    across: Tensor  # [d_source, d_target]
    target: Tensor  # [d_target]: sum of squares of centred rows, per dimension


RIDGES = tuple(10.0**k for k in range(-8, 2))  # times the mean eigenvalue of the source's covariance


@dataclass
class Linear:
    """y = x W + b, with `weight` [d_source, d_target] and `bias` [d_target]."""

    weight: Tensor = field(default_factory=lambda: torch.empty(0), kw_only=True)
    bias: Tensor = field(default_factory=lambda: torch.empty(0), kw_only=True)

    def __call__(self, source: Tensor) -> Tensor:
        """Carry activations across."""
        return source @ self.weight.to(source) + self.bias.to(source)

    def set_about_means(self, weight: Tensor, sums: Moments) -> None:
        """Take `weight` as the map of centred rows."""
        self.weight = weight.float()
        self.bias = (sums.mean_target - sums.mean_source @ weight).float()


def ridge_weights(sums: Moments, penalties: Sequence[float]) -> list[Tensor]:
    """The ridge solutions (Hoerl and Kennard, 1970) for penalties relative to the mean eigenvalue."""
    values, vectors = torch.linalg.eigh(sums.source)
    values = values.clamp(min=0)
    rotated = vectors.T @ sums.across
    mean = values.mean().clamp(min=1e-30)
    return [vectors @ (rotated / (values + penalty * mean)[:, None]) for penalty in penalties]


def squared_error(weight: Tensor, fitted: Moments, held: Moments) -> float:
    """Sum of squared errors on held-out rows of a map fitted about other rows' means."""
    offset = (held.mean_target - fitted.mean_target) - (held.mean_source - fitted.mean_source) @ weight
    explained = 2 * (weight * held.across).sum() - (weight * (held.source @ weight)).sum()
    return float(held.target.sum() - explained + held.n * offset.square().sum())


def merged(a: Moments, b: Moments) -> Moments:
    """The sums over the rows of both (Chan et al., 1979)."""
    n = a.n + b.n
    ds, dt, share = b.mean_source - a.mean_source, b.mean_target - a.mean_target, a.n * b.n / n
    return Moments(
        n,
        a.mean_source + ds * (b.n / n),
        a.mean_target + dt * (b.n / n),
        a.source + b.source + share * torch.outer(ds, ds),
        a.across + b.across + share * torch.outer(ds, dt),
        a.target + b.target + share * dt.square(),
    )


BATCH = 8192


def sums_of(pairs: Pairs) -> Moments:
    """The sums over all pairs, streamed."""
    return sums_over(pairs.batches(BATCH, None), pairs.d_source, pairs.d_target)


def sums_over(batches: Iterable[Rows], d_source: int, d_target: int) -> Moments:
    """The sums over some batches of rows."""
    n, shift = 0, None
    first_s = second_s = first_t = across = square_t = torch.zeros(())
    for rows in batches:
        if shift is None:
            shift = rows[0].mean(0), rows[1].mean(0)
            zeros = rows[0].new_zeros(1, dtype=torch.float64)
            first_s, second_s = zeros.new_zeros(d_source), zeros.new_zeros(d_source, d_source)
            first_t, across = zeros.new_zeros(d_target), zeros.new_zeros(d_source, d_target)
            square_t = zeros.new_zeros(d_target)
        source, target = (rows[0] - shift[0]).double(), (rows[1] - shift[1]).double()
        n += len(source)
        first_s, first_t = first_s + source.sum(0), first_t + target.sum(0)
        second_s, across = second_s.addmm_(source.T, source), across.addmm_(source.T, target)
        square_t = square_t + target.square().sum(0)
    if shift is None:
        raise ValueError("there are no pairs to fit on")
    mean_s, mean_t = first_s / n, first_t / n
    return Moments(
        n,
        shift[0] + mean_s,
        shift[1] + mean_t,
        second_s - n * torch.outer(mean_s, mean_s),
        across - n * torch.outer(mean_s, mean_t),
        square_t - n * mean_t.square(),
    )
