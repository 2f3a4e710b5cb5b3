"""`ridge`: linear regression with a penalty, in closed form (Huang et al., 2025, use it without the penalty)."""

from dataclasses import dataclass
from typing import ClassVar

from graftbench.benchmark.activations.pairs import Pairs
from graftbench.benchmark.mappers.builtin.linear import (
    PENALTIES,
    Linear,
    merge_moments,
    moments_of,
    ridge_weights,
    squared_error,
)
from graftbench.benchmark.mappers.protocol import TrainingRecord

HELD_OUT = 0.1  # of the texts


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
        return {"penalty": best, "held_out_fvu": min(errors) / float(held_out.target_squares.sum())}
