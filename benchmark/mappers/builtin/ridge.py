"""`ridge`: linear regression with a penalty, in closed form from streamed sums (Huang et al., 2025, use it without)."""

from dataclasses import dataclass
from typing import ClassVar

from graftbench.benchmark.activations.pairs import Pairs
from graftbench.benchmark.mappers.builtin.linear import RIDGES, Linear, merged, ridge_weights, squared_error, sums_of
from graftbench.benchmark.mappers.protocol import Record

HELD_OUT = 0.1  # of the texts


@dataclass
class Ridge(Linear):
    """y = x W + b with the penalty on W that does best on held-out texts, or the one given."""

    name: ClassVar[str] = "ridge"
    version: ClassVar[int] = 1
    deterministic: ClassVar[bool] = True
    penalty: float = -1.0  # relative to the mean eigenvalue; chosen by itself below zero

    def fit(self, pairs: Pairs, *, seed: int) -> Record:
        """Choose the penalty, then fit on everything."""
        kept, held = (sums_of(part) for part in pairs.split(HELD_OUT))
        penalties = RIDGES if self.penalty < 0 else (self.penalty,)
        errors = [squared_error(weight, kept, held) for weight in ridge_weights(kept, penalties)]
        best = penalties[errors.index(min(errors))]
        total = merged(kept, held)
        self.set_about_means(ridge_weights(total, [best])[0], total)
        return {"penalty": best, "held_out_fvu": min(errors) / float(held.target.sum())}
