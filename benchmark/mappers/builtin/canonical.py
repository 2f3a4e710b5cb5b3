"""`cca`: from one model to the other by way of the directions that are most correlated."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from graftbench.benchmark.activations.pairs import HELD_OUT, Pairs
from graftbench.benchmark.mappers.builtin.linear import (
    Linear,
    Moments,
    best_penalty,
    check_rank,
    held_out_fvu,
    merge_moments,
    moments_of,
    moments_of_target,
    ranks_up_to,
    squared_error,
)
from graftbench.benchmark.mappers.protocol import TrainingRecord


@dataclass
class Cca(Linear):
    """y = x A B^+ + b, with A and B the first `rank` canonical directions of source and target (Hotelling, 1936).

    Both covariances have a penalty (Hardoon et al., 2004). A canonical variate of the source stands for that of the
    target as it is, as in Ammar et al. (2016): weighted by its correlation, this would be reduced-rank regression, and
    at full rank `ridge` (Izenman, 1975). So mapped rows keep the spread that the target has. Rank 0 takes the power
    of two with the lowest error on held-out texts.
    """

    name: ClassVar[str] = "cca"
    version: ClassVar[int] = 1
    deterministic: ClassVar[bool] = True
    rank: int = 0

    def __post_init__(self) -> None:
        """Raise UserError where the rank is below 0."""
        check_rank(self.name, self.rank)

    def fit(self, pairs: Pairs, *, seed: int) -> TrainingRecord:
        """Choose the penalty as `ridge` does, then the rank on held-out texts; then fit on all texts."""
        parts = pairs.split(HELD_OUT)
        fitted, held_out = (moments_of(part) for part in parts)
        targets = [moments_of_target(part) for part in parts]
        penalty = best_penalty(fitted, held_out)
        into, back = _shared_space(fitted, targets[0], penalty)
        ranks = [self.rank] if self.rank else ranks_up_to(min(pairs.d_source, pairs.d_target))
        by_rank = {rank: squared_error(into[:, :rank] @ back[:rank], fitted, held_out) for rank in ranks}
        best = min(by_rank, key=lambda rank: by_rank[rank])
        total = merge_moments(fitted, held_out)
        into, back = _shared_space(total, merge_moments(*targets), penalty)
        self.set_about_means(into[:, :best] @ back[:best], total)
        return {"rank": best, "penalty": penalty, "held_out_fvu": held_out_fvu(by_rank[best], held_out)}


def _shared_space(moments: Moments, target: Moments, penalty: float) -> tuple[Tensor, Tensor]:
    """Return the maps of centred rows into the canonical space [d_source, k] and out of it [k, d_target].

    The way out is the least-squares one from the target's own variates. `penalty` is relative to the mean eigenvalue
    of each scatter matrix, those of `moments` for the source and of `target` for the target.
    """
    whiten_source, _ = _roots(moments.source_scatter, penalty)
    whiten_target, colour_target = _roots(target.source_scatter, penalty)
    u, _, vh = torch.linalg.svd(whiten_source @ moments.cross_scatter @ whiten_target, full_matrices=False)
    return whiten_source @ u, vh @ colour_target


def _roots(scatter: Tensor, penalty: float) -> tuple[Tensor, Tensor]:
    """Return the inverse and the square root, both symmetric, of a scatter matrix [d, d] with a penalty."""
    values, vectors = torch.linalg.eigh(scatter)
    values = values.clamp(min=0)
    values = (values + penalty * values.mean().clamp(min=1e-30)).sqrt()
    return (vectors / values) @ vectors.T, (vectors * values) @ vectors.T
