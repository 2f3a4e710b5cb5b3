"""`unlock`: from the principal directions of one model to those of the other."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from graftbench.benchmark.activations.pairs import HELD_OUT, Pairs
from graftbench.benchmark.mappers.builtin.linear import (
    Linear,
    Moments,
    check_rank,
    merge_moments,
    moments_of,
    moments_of_target,
    ranks_up_to,
    squared_error,
)
from graftbench.benchmark.mappers.protocol import TrainingRecord


@dataclass
class Unlock(Linear):
    """y = x V_s (X_s V_s)^+ (X_t V_t) V_t', with the first `rank` right singular vectors V of each model's rows X.

    The low-rank map of Balasubramanian et al. (2026, arXiv:2604.06377), from rows of all tokens and not of last tokens
    alone. Unlike `low_rank` it keeps the directions in which each model has its largest activations, not those that the
    source predicts best; nothing is centred, and there is no offset. Rank 0 takes the power of two with the lowest
    error on held-out texts.
    """

    name: ClassVar[str] = "unlock"
    version: ClassVar[int] = 1
    deterministic: ClassVar[bool] = True
    rank: int = 0

    def __post_init__(self) -> None:
        """Raise UserError where the rank is below 0."""
        check_rank(self.name, self.rank)

    def fit(self, pairs: Pairs, *, seed: int) -> TrainingRecord:
        """Choose the rank on held-out texts, then fit on all texts."""
        parts = pairs.split(HELD_OUT)
        fitted, held_out = (_about_zero(moments_of(part)) for part in parts)
        targets = [_about_zero(moments_of_target(part)) for part in parts]
        ranks = [self.rank] if self.rank else ranks_up_to(min(pairs.d_source, pairs.d_target))
        weights = zip(ranks, _between_principal(fitted, targets[0], ranks), strict=True)
        by_rank = {rank: squared_error(weight, fitted, held_out) for rank, weight in weights}
        best = min(by_rank, key=lambda rank: by_rank[rank])
        total = merge_moments(fitted, held_out)
        self.weight = _between_principal(total, merge_moments(*targets), [best])[0].float()
        self.bias = torch.zeros_like(self.weight[0])
        return {"rank": best}


def _between_principal(moments: Moments, target: Moments, ranks: list[int]) -> list[Tensor]:
    """Return the map [d_source, d_target] of each rank, from moments about zero.

    Directions in which the source has no activation, up to rounding, are left out.
    """
    values, ours = (part.flip(-1) for part in torch.linalg.eigh(moments.source_scatter))
    theirs = torch.linalg.eigh(target.source_scatter).eigenvectors.flip(-1)
    present = values > len(values) * torch.finfo(values.dtype).eps * values[0]
    inverse = torch.where(present, 1 / values, 0.0)
    core = inverse[:, None] * (ours.T @ moments.cross_scatter @ theirs)
    return [ours[:, :rank] @ core[:rank, :rank] @ theirs[:, :rank].T for rank in ranks]


def _about_zero(moments: Moments) -> Moments:
    """Return the moments of the same rows about zero instead of their means."""
    source, target, n = moments.mean_source, moments.mean_target, moments.n
    return Moments(
        n,
        torch.zeros_like(source),
        torch.zeros_like(target),
        moments.source_scatter + n * torch.outer(source, source),
        moments.cross_scatter + n * torch.outer(source, target),
        moments.target_squares + n * target.square(),
    )
