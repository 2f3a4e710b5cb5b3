"""`procrustes`: a rotation and one scale (Schönemann, 1966; zero-padded as in Maiorca et al., 2023)."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from graftbench.benchmark.activations.pairs import Pairs
from graftbench.benchmark.mappers.builtin.linear import Linear, moments_of
from graftbench.benchmark.mappers.protocol import TrainingRecord


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
