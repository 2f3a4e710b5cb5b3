"""Mappers that ought not to work: each is a row of its own, to compare the others with."""

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from graftbench.benchmark.activations.pairs import Pairs
from graftbench.benchmark.core.hashing import digest
from graftbench.benchmark.mappers.builtin.linear import (
    BATCH,
    RIDGES,
    Linear,
    Moments,
    merged,
    ridge_weights,
    squared_error,
    sums_of,
    sums_over,
)
from graftbench.benchmark.mappers.builtin.ridge import HELD_OUT
from graftbench.benchmark.mappers.protocol import Record


@dataclass
class Zero(Linear):
    """`zero`: carries everything to zero."""

    name: ClassVar[str] = "zero"
    version: ClassVar[int] = 1
    deterministic: ClassVar[bool] = True

    def fit(self, pairs: Pairs, *, seed: int) -> None:
        """Nothing is learned but the widths."""
        self.weight, self.bias = torch.zeros(pairs.d_source, pairs.d_target), torch.zeros(pairs.d_target)


@dataclass
class Mean(Linear):
    """`mean`: carries everything to the mean of the target's rows."""

    name: ClassVar[str] = "mean"
    version: ClassVar[int] = 1
    deterministic: ClassVar[bool] = True

    def fit(self, pairs: Pairs, *, seed: int) -> None:
        """Take the mean."""
        sums = sums_of(pairs)
        self.set_about_means(torch.zeros_like(sums.across), sums)


@dataclass
class Identity(Linear):
    """`identity`: takes the source's dimensions for the target's, cut off or padded with zeros."""

    name: ClassVar[str] = "identity"
    version: ClassVar[int] = 1
    deterministic: ClassVar[bool] = True

    def fit(self, pairs: Pairs, *, seed: int) -> None:
        """Nothing is learned but the widths."""
        self.weight, self.bias = torch.eye(pairs.d_source, pairs.d_target), torch.zeros(pairs.d_target)


@dataclass
class RandomMap(Linear):
    """`random_map`: a random matrix, with the spread of the target's rows."""

    name: ClassVar[str] = "random_map"
    version: ClassVar[int] = 1

    def fit(self, pairs: Pairs, *, seed: int) -> None:
        """Draw the matrix and match the norm."""
        sums = sums_of(pairs)
        # Not the bare seed: from that a twin draws its rotation, and the map would not be random to it.
        generator = torch.Generator().manual_seed(int(digest("random_map", seed)[:15], 16))
        drawn = torch.randn(sums.across.shape, generator=generator, dtype=torch.float64).to(sums.across)
        spread = (drawn * (sums.source @ drawn)).sum()
        self.set_about_means(drawn * (sums.target.sum() / spread.clamp(min=1e-30)).sqrt(), sums)


@dataclass
class Shuffled(Linear):
    """`shuffled`: ridge regression on source rows paired with the partners of others, over the whole fit split."""

    name: ClassVar[str] = "shuffled"
    version: ClassVar[int] = 1

    def fit(self, pairs: Pairs, *, seed: int) -> Record:
        """As ridge does, on permuted rows."""
        kept, held = (_permuted(part, seed) for part in pairs.split(HELD_OUT))
        errors = [squared_error(weight, kept, held) for weight in ridge_weights(kept, RIDGES)]
        total = merged(kept, held)
        best = RIDGES[errors.index(min(errors))]
        self.set_about_means(ridge_weights(total, [best])[0], total)
        return {"penalty": best}


def _permuted(pairs: Pairs, seed: int) -> Moments:
    in_order, permuted = pairs.batches(BATCH, None), pairs.batches(BATCH, seed)
    rows = ((source, target) for (source, _), (_, target) in zip(in_order, permuted, strict=True))
    return sums_over(rows, pairs.d_source, pairs.d_target)


@dataclass
class Lookup:
    """`lookup`: the partner of the nearest source row of the fit split; what a mapper scores by memory alone."""

    name: ClassVar[str] = "lookup"
    version: ClassVar[int] = 1
    deterministic: ClassVar[bool] = True
    source: Tensor = field(default_factory=lambda: torch.empty(0))
    target: Tensor = field(default_factory=lambda: torch.empty(0))

    def fit(self, pairs: Pairs, *, seed: int) -> Record:
        """Keep every pair."""
        rows = list(pairs)
        self.source, self.target = (torch.cat([row[side] for row in rows]) for side in (0, 1))
        return {"rows": len(self.source)}

    def __call__(self, source: Tensor) -> Tensor:
        """Carry activations across."""
        flat = source.reshape(-1, source.shape[-1])
        lengths = self.source.square().sum(-1)
        nearest = [(lengths - 2 * part @ self.source.T).argmin(-1) for part in flat.split(1024)]
        return self.target[torch.cat(nearest)].reshape(*source.shape[:-1], -1)
