"""`anchor_projection`: similarities to anchors, read as weights of the other model's anchors."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from graftbench.benchmark.activations.pairs import Pairs
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.mappers.builtin.linear import Linear, moments_of
from graftbench.benchmark.mappers.protocol import TrainingRecord


@dataclass
class AnchorProjection(Linear):
    """y = s x P_s' P_t + b, with P the centred rows of `anchors` pairs in each model, scaled to norm 1.

    The anchor projection of Kim and Han (2026, arXiv:2605.09875), with 300 anchors as they have, drawn from all rows
    of the pairs. Unlike `relative` it looks for no target row with the same similarities: it adds up the target's
    anchors, weighted by them. The formula leaves the length open: s is that of least squares.
    """

    name: ClassVar[str] = "anchor_projection"
    version: ClassVar[int] = 1
    anchors: int = 300

    def __post_init__(self) -> None:
        """Raise UserError where a single anchor would be its own mean."""
        if self.anchors < 2:
            raise UserError(f"anchor_projection needs at least two anchors, not {self.anchors}.")

    def fit(self, pairs: Pairs, *, seed: int) -> TrainingRecord:
        """Draw the anchors, and fit the scale."""
        source, target = next(pairs.batches(self.anchors, seed))
        projection = _unit_rows(source).T @ _unit_rows(target)
        moments = moments_of(pairs)
        predicted = (projection * (moments.source_scatter @ projection)).sum()
        scale = (projection * moments.cross_scatter).sum() / predicted.clamp(min=1e-30)
        self.set_about_means(scale * projection, moments)
        return {"anchors": len(source), "scale": float(scale)}


def _unit_rows(rows: Tensor) -> Tensor:
    """Return rows [rows, d] about their mean, each scaled to norm 1, in float64."""
    centred = rows.double() - rows.double().mean(0)
    unit: Tensor = centred / centred.norm(dim=-1, keepdim=True).clamp(min=1e-12)
    return unit
