"""`relative`: similarities to anchors (Moschella et al., 2023), solved for the target as in Maiorca et al. (2023)."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from graftbench.benchmark.activations.pairs import Pairs
from graftbench.benchmark.mappers.builtin.linear import Linear, moments_of
from graftbench.benchmark.mappers.protocol import TrainingRecord


@dataclass
class Relative(Linear):
    """Cosines of a centred source row to `anchors` source rows, solved for the target row with the same cosines."""

    name: ClassVar[str] = "relative"
    version: ClassVar[int] = 1
    anchors: int = 512

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
