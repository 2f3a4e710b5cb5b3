"""Controls: mappers that should not transfer, scored as rows of their own to compare other mappers with."""

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from graftbench.benchmark.activations.pairs import HELD_OUT, Pairs
from graftbench.benchmark.core.hashing import digest
from graftbench.benchmark.mappers.builtin.linear import (
    BATCH_ROWS,
    PENALTIES,
    Linear,
    Moments,
    merge_moments,
    moments_of,
    moments_of_batches,
    ridge_weights,
    squared_error,
)
from graftbench.benchmark.mappers.protocol import TrainingRecord


@dataclass
class Zero(Linear):
    """`zero`: maps everything to zero."""

    name: ClassVar[str] = "zero"
    version: ClassVar[int] = 1
    deterministic: ClassVar[bool] = True

    def fit(self, pairs: Pairs, *, seed: int) -> None:
        """Learn nothing but the widths."""
        self.weight, self.bias = torch.zeros(pairs.d_source, pairs.d_target), torch.zeros(pairs.d_target)


@dataclass
class Mean(Linear):
    """`mean`: maps everything to the mean of the target's activations."""

    name: ClassVar[str] = "mean"
    version: ClassVar[int] = 1
    deterministic: ClassVar[bool] = True

    def fit(self, pairs: Pairs, *, seed: int) -> None:
        """Take the mean."""
        moments = moments_of(pairs)
        self.set_about_means(torch.zeros_like(moments.cross_scatter), moments)


@dataclass
class Identity(Linear):
    """`identity`: takes the source's dimensions for the target's, truncated or padded with zeros."""

    name: ClassVar[str] = "identity"
    version: ClassVar[int] = 1
    deterministic: ClassVar[bool] = True

    def fit(self, pairs: Pairs, *, seed: int) -> None:
        """Learn nothing but the widths."""
        self.weight, self.bias = torch.eye(pairs.d_source, pairs.d_target), torch.zeros(pairs.d_target)


@dataclass
class RandomMap(Linear):
    """`random_map`: a random matrix, scaled to the spread of the target's activations."""

    name: ClassVar[str] = "random_map"
    version: ClassVar[int] = 1

    def fit(self, pairs: Pairs, *, seed: int) -> None:
        """Draw the matrix and match the norm."""
        moments = moments_of(pairs)
        # Not the bare seed: a twin draws its rotation from that, and the map would not be random to it.
        generator = torch.Generator().manual_seed(int(digest("random_map", seed)[:15], 16))
        drawn = torch.randn(moments.cross_scatter.shape, generator=generator, dtype=torch.float64)
        drawn = drawn.to(moments.cross_scatter)
        spread = (drawn * (moments.source_scatter @ drawn)).sum()
        self.set_about_means(drawn * (moments.target_squares.sum() / spread.clamp(min=1e-30)).sqrt(), moments)


@dataclass
class Shuffled(Linear):
    """`shuffled`: ridge regression on pairs whose target rows are permuted within the fitted and the held-out part."""

    name: ClassVar[str] = "shuffled"
    version: ClassVar[int] = 1

    def fit(self, pairs: Pairs, *, seed: int) -> TrainingRecord:
        """Fit as `ridge` does, on permuted rows."""
        fitted, held_out = (_permuted(part, seed) for part in pairs.split(HELD_OUT))
        errors = [squared_error(weight, fitted, held_out) for weight in ridge_weights(fitted, PENALTIES)]
        total = merge_moments(fitted, held_out)
        best = PENALTIES[errors.index(min(errors))]
        self.set_about_means(ridge_weights(total, [best])[0], total)
        return {"penalty": best}


def _permuted(pairs: Pairs, seed: int) -> Moments:
    """Return the moments of source rows paired with the partners of other rows."""
    in_order, permuted = pairs.batches(BATCH_ROWS, None), pairs.batches(BATCH_ROWS, seed)
    rows = ((source, target) for (source, _), (_, target) in zip(in_order, permuted, strict=True))
    return moments_of_batches(rows, pairs.d_source, pairs.d_target)


@dataclass
class Lookup:
    """`lookup`: the partner of the nearest source row of the fit split, to show what memory alone scores."""

    name: ClassVar[str] = "lookup"
    version: ClassVar[int] = 1
    deterministic: ClassVar[bool] = True
    source: Tensor = field(default_factory=lambda: torch.empty(0))  # [rows, d_source]
    target: Tensor = field(default_factory=lambda: torch.empty(0))  # [rows, d_target]

    def fit(self, pairs: Pairs, *, seed: int) -> TrainingRecord:
        """Store every pair."""
        rows = list(pairs)
        self.source, self.target = (torch.cat([row[side] for row in rows]) for side in (0, 1))
        return {"rows": len(self.source)}

    def __call__(self, source: Tensor) -> Tensor:
        """Map activations [..., d_source] to [..., d_target]."""
        flat = source.reshape(-1, source.shape[-1])
        mapped = torch.cat([self.target[self.nearest(part)].mean(1) for part in flat.split(1024)])
        return mapped.reshape(*source.shape[:-1], -1)

    def nearest(self, rows: Tensor) -> Tensor:
        """Return the stored row [rows, 1] nearest to each of rows [rows, d_source]."""
        lengths = self.source.square().sum(-1)
        return (lengths - 2 * rows @ self.source.T).argmin(-1, keepdim=True)
