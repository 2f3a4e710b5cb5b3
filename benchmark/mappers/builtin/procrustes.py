"""`procrustes`: a rotation and one scale (Schönemann, 1966; zero-padded as in Maiorca et al., 2023)."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from graftbench.benchmark.activations.pairs import Pairs
from graftbench.benchmark.mappers.builtin.linear import Linear, sums_of
from graftbench.benchmark.mappers.protocol import Record


@dataclass
class Procrustes(Linear):
    """y = s x R + b, R the orthogonal matrix that fits best; with other widths, that of the zero-padded rows."""

    name: ClassVar[str] = "procrustes"
    version: ClassVar[int] = 1
    deterministic: ClassVar[bool] = True

    def fit(self, pairs: Pairs, *, seed: int) -> Record:
        """R = U V' of the cross-covariance; s = sum of its singular values over the source's sum of squares."""
        sums = sums_of(pairs)
        u, values, vh = torch.linalg.svd(sums.across, full_matrices=False)
        scale = values.sum() / sums.source.trace()
        self.set_about_means(scale * (u @ vh), sums)
        return {"scale": float(scale)}
