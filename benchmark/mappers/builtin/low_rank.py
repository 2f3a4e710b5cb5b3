"""`low_rank`: reduced-rank regression (Izenman, 1975): the map of few dimensions that fits best."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from graftbench.benchmark.activations.pairs import Pairs
from graftbench.benchmark.mappers.builtin.linear import (
    RIDGES,
    Linear,
    Moments,
    merged,
    ridge_weights,
    squared_error,
    sums_of,
)
from graftbench.benchmark.mappers.builtin.ridge import HELD_OUT
from graftbench.benchmark.mappers.protocol import Record


@dataclass
class LowRank(Linear):
    """y = x W + b with W of rank `rank`; 0 takes the rank, a power of two, that does best on held-out texts."""

    name: ClassVar[str] = "low_rank"
    version: ClassVar[int] = 1
    deterministic: ClassVar[bool] = True
    rank: int = 0

    def fit(self, pairs: Pairs, *, seed: int) -> Record:
        """Choose the penalty at full rank, then the rank; then fit on everything."""
        kept, held = (sums_of(part) for part in pairs.split(HELD_OUT))
        errors = [squared_error(weight, kept, held) for weight in ridge_weights(kept, RIDGES)]
        penalty = RIDGES[errors.index(min(errors))]
        most = min(pairs.d_source, pairs.d_target)
        ranks = [2**k for k in range(most.bit_length()) if 2**k < most] + [most] if self.rank == 0 else [self.rank]
        by_rank = {rank: squared_error(_reduced(kept, penalty, rank), kept, held) for rank in ranks}
        best = min(by_rank, key=lambda rank: by_rank[rank])
        total = merged(kept, held)
        self.set_about_means(_reduced(total, penalty, best), total)
        return {"rank": best, "penalty": penalty, "held_out_fvu": by_rank[best] / float(held.target.sum())}


def _reduced(sums: Moments, penalty: float, rank: int) -> Tensor:
    """The ridge solution, projected on the `rank` directions of the target in which it predicts most."""
    full = ridge_weights(sums, [penalty])[0]
    _, vectors = torch.linalg.eigh(full.T @ sums.source @ full)
    top = vectors[:, -rank:]
    reduced: Tensor = full @ top @ top.T
    return reduced
