"""`ridge`, `procrustes`, `low_rank`, `relative`: maps in closed form, each with its paper at its class."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from graftbench.benchmark.activations.pairs import HELD_OUT, Pairs
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.mappers.builtin.linear import (
    PENALTIES,
    Linear,
    Moments,
    best_penalty,
    check_rank,
    held_out_fvu,
    merge_moments,
    moments_of,
    ranks_up_to,
    ridge_weights,
    squared_error,
)
from graftbench.benchmark.mappers.protocol import TrainingRecord


@dataclass
class Ridge(Linear):
    """y = x W + b with a penalty on W: the one given, or the one with the lowest error on held-out texts."""

    name: ClassVar[str] = "ridge"
    version: ClassVar[int] = 1
    deterministic: ClassVar[bool] = True
    penalty: float = -1.0  # relative to the mean eigenvalue; below zero it is chosen on held-out texts

    def fit(self, pairs: Pairs, *, seed: int) -> TrainingRecord:
        """Choose the penalty on held-out texts, then fit on all texts."""
        fitted, held_out = (moments_of(part) for part in pairs.split(HELD_OUT))
        penalties = PENALTIES if self.penalty < 0 else (self.penalty,)
        errors = [squared_error(weight, fitted, held_out) for weight in ridge_weights(fitted, penalties)]
        best = penalties[errors.index(min(errors))]
        total = merge_moments(fitted, held_out)
        self.set_about_means(ridge_weights(total, [best])[0], total)
        return {"penalty": best, "held_out_fvu": held_out_fvu(min(errors), held_out)}


@dataclass
class Procrustes(Linear):
    """y = s x R + b with R the best-fitting orthogonal matrix; where widths differ, that of the zero-padded rows."""

    name: ClassVar[str] = "procrustes"
    version: ClassVar[int] = 1
    deterministic: ClassVar[bool] = True

    def fit(self, pairs: Pairs, *, seed: int) -> TrainingRecord:
        """Set R = U V' of the cross-covariance, and s = sum of its singular values over the source's sum of squares."""
        moments = moments_of(pairs)
        u, values, vh = torch.linalg.svd(moments.cross_scatter, full_matrices=False)
        scale = values.sum() / moments.source_scatter.trace()
        self.set_about_means(scale * (u @ vh), moments)
        return {"scale": float(scale)}


@dataclass
class LowRank(Linear):
    """y = x W + b with W of rank `rank`; 0 takes the power of two with the lowest error on held-out texts."""

    name: ClassVar[str] = "low_rank"
    version: ClassVar[int] = 1
    deterministic: ClassVar[bool] = True
    rank: int = 0

    def __post_init__(self) -> None:
        """Raise UserError where the rank is below 0."""
        check_rank(self.name, self.rank)

    def fit(self, pairs: Pairs, *, seed: int) -> TrainingRecord:
        """Choose the penalty at full rank, then the rank on held-out texts; then fit on all texts."""
        fitted, held_out = (moments_of(part) for part in pairs.split(HELD_OUT))
        penalty = best_penalty(fitted, held_out)
        ranks = [self.rank] if self.rank else ranks_up_to(min(pairs.d_source, pairs.d_target))
        by_rank = {rank: squared_error(_reduced(fitted, penalty, rank), fitted, held_out) for rank in ranks}
        best = min(by_rank, key=lambda rank: by_rank[rank])
        total = merge_moments(fitted, held_out)
        self.set_about_means(_reduced(total, penalty, best), total)
        return {"rank": best, "penalty": penalty, "held_out_fvu": held_out_fvu(by_rank[best], held_out)}


def _reduced(moments: Moments, penalty: float, rank: int) -> Tensor:
    """Project the ridge solution on the `rank` target directions that it predicts most of; [d_source, d_target]."""
    full = ridge_weights(moments, [penalty])[0]
    _, vectors = torch.linalg.eigh(full.T @ moments.source_scatter @ full)
    top = vectors[:, -rank:]
    reduced: Tensor = full @ top @ top.T
    return reduced


@dataclass
class Relative(Linear):
    """Cosines of a centred source row to `anchors` source rows, solved for the target row with the same cosines."""

    name: ClassVar[str] = "relative"
    version: ClassVar[int] = 1
    anchors: int = 512

    def __post_init__(self) -> None:
        """Raise UserError where there is no anchor."""
        if self.anchors < 1:
            raise UserError(f"relative needs at least one anchor, not {self.anchors}.")

    def fit(self, pairs: Pairs, *, seed: int) -> TrainingRecord:
        """Draw the anchors; the map is x A_s' (A_t')^+, times the ratio of the spreads of both models."""
        moments = moments_of(pairs)
        source, target = next(pairs.batches(self.anchors, seed))
        ours, theirs = _unit(source.double() - moments.mean_source), _unit(target.double() - moments.mean_target)
        spread = (moments.target_squares.sum() / moments.source_scatter.trace()).sqrt()
        self.set_about_means(spread * (ours.T @ torch.linalg.pinv(theirs.T)), moments)
        return {"anchors": len(source)}


def _unit(rows: Tensor) -> Tensor:
    """Scale each row of [rows, d] to norm 1."""
    unit: Tensor = rows / rows.norm(dim=-1, keepdim=True).clamp(min=1e-12)
    return unit
