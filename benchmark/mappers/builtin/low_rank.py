"""`low_rank`: reduced-rank regression (Izenman, 1975), the best-fitting linear map of low rank."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from graftbench.benchmark.activations.pairs import Pairs
from graftbench.benchmark.mappers.builtin.linear import (
    PENALTIES,
    Linear,
    Moments,
    merge_moments,
    moments_of,
    ridge_weights,
    squared_error,
)
from graftbench.benchmark.mappers.builtin.ridge import HELD_OUT
from graftbench.benchmark.mappers.protocol import TrainingRecord


@dataclass
class LowRank(Linear):
    """y = x W + b with W of rank `rank`; 0 takes the power of two with the lowest error on held-out texts."""

    name: ClassVar[str] = "low_rank"
    version: ClassVar[int] = 1
    deterministic: ClassVar[bool] = True
    rank: int = 0

    def fit(self, pairs: Pairs, *, seed: int) -> TrainingRecord:
        """Choose the penalty at full rank, then the rank on held-out texts; then fit on all texts."""
        fitted, held_out = (moments_of(part) for part in pairs.split(HELD_OUT))
        errors = [squared_error(weight, fitted, held_out) for weight in ridge_weights(fitted, PENALTIES)]
        penalty = PENALTIES[errors.index(min(errors))]
        full = min(pairs.d_source, pairs.d_target)
        ranks = [2**k for k in range(full.bit_length()) if 2**k < full] + [full] if self.rank == 0 else [self.rank]
        by_rank = {rank: squared_error(_reduced(fitted, penalty, rank), fitted, held_out) for rank in ranks}
        best = min(by_rank, key=lambda rank: by_rank[rank])
        total = merge_moments(fitted, held_out)
        self.set_about_means(_reduced(total, penalty, best), total)
        return {"rank": best, "penalty": penalty, "held_out_fvu": by_rank[best] / float(held_out.target_squares.sum())}


def _reduced(moments: Moments, penalty: float, rank: int) -> Tensor:
    """Project the ridge solution on the `rank` target directions that it predicts most of; [d_source, d_target]."""
    full = ridge_weights(moments, [penalty])[0]
    _, vectors = torch.linalg.eigh(full.T @ moments.source_scatter @ full)
    top = vectors[:, -rank:]
    reduced: Tensor = full @ top @ top.T
    return reduced
