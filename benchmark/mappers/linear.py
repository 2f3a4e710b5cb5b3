"""The form that closed-form mappers take: a matrix and an offset."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from .sums import Sums

RIDGES = tuple(10.0**k for k in range(-8, 2))  # times the mean eigenvalue of the source's covariance


@dataclass
class Linear:
    """y = x W + b, with `weight` [d_source, d_target] and `bias` [d_target]."""

    weight: Tensor = field(default_factory=lambda: torch.empty(0), kw_only=True)
    bias: Tensor = field(default_factory=lambda: torch.empty(0), kw_only=True)

    def __call__(self, source: Tensor) -> Tensor:
        """Carry activations across."""
        return source @ self.weight.to(source) + self.bias.to(source)

    def set_about_means(self, weight: Tensor, sums: Sums) -> None:
        """Take `weight` as the map of centred rows."""
        self.weight = weight.float()
        self.bias = (sums.mean_target - sums.mean_source @ weight).float()


def ridge_weights(sums: Sums, penalties: Sequence[float]) -> list[Tensor]:
    """The ridge solutions (Hoerl and Kennard, 1970) for penalties relative to the mean eigenvalue."""
    values, vectors = torch.linalg.eigh(sums.source)
    values = values.clamp(min=0)
    rotated = vectors.T @ sums.across
    mean = values.mean().clamp(min=1e-30)
    return [vectors @ (rotated / (values + penalty * mean)[:, None]) for penalty in penalties]


def squared_error(weight: Tensor, fitted: Sums, held: Sums) -> float:
    """Sum of squared errors on held-out rows of a map fitted about other rows' means."""
    offset = (held.mean_target - fitted.mean_target) - (held.mean_source - fitted.mean_source) @ weight
    explained = 2 * (weight * held.across).sum() - (weight * (held.source @ weight)).sum()
    return float(held.target.sum() - explained + held.n * offset.square().sum())


def merged(a: Sums, b: Sums) -> Sums:
    """The sums over the rows of both (Chan et al., 1979)."""
    n = a.n + b.n
    ds, dt, share = b.mean_source - a.mean_source, b.mean_target - a.mean_target, a.n * b.n / n
    return Sums(
        n,
        a.mean_source + ds * (b.n / n),
        a.mean_target + dt * (b.n / n),
        a.source + b.source + share * torch.outer(ds, ds),
        a.across + b.across + share * torch.outer(ds, dt),
        a.target + b.target + share * dt.square(),
    )
