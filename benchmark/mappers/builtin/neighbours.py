"""`knn`: nearest-neighbour regression over more than one pair, by the cosine."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.mappers.builtin.controls import Lookup

BLOCK_ROWS = 1024  # of the stored rows that are compared at a time: larger blocks leave the cache of a processor
_STEPS = 1e9  # in which cosines are compared: those of equal rows differ by rounding, and would not tie


@dataclass
class Knn(Lookup):
    """The mean partner of the `k` source rows of the fit split with the largest cosine (Altman, 1992).

    Beside `lookup` it shows what smoothing, and a distance that knows no length, do for memory.
    """

    name: ClassVar[str] = "knn"
    version: ClassVar[int] = 1
    deterministic: ClassVar[bool] = True
    k: int = 5

    def __post_init__(self) -> None:
        """Raise UserError where there is no neighbour."""
        if self.k < 1:
            raise UserError(f"knn needs at least one neighbour, not {self.k}.")

    def nearest(self, rows: Tensor) -> Tensor:
        """Return the stored rows [rows, k] nearest to rows [rows, d_source]; of equals the first are nearer.

        All stored rows are returned where they are fewer than `k`. They are compared in blocks, so that the memory that
        this takes does not grow with their number.
        """
        n, unit = len(self.source), _unit(rows)
        best = torch.empty(len(rows), 0, dtype=torch.long, device=rows.device)
        for start, block in zip(range(0, n, BLOCK_ROWS), self.source.split(BLOCK_ROWS), strict=True):
            cosines = (unit @ _unit(block).T).mul_(_STEPS).round_().long()
            keys = cosines.mul_(n).sub_(torch.arange(start, start + len(block), device=rows.device))
            nearest = keys.topk(min(self.k, len(block))).values
            best = torch.cat([best, nearest], dim=-1).topk(min(self.k, start + len(block))).values
        return -best % n


def _unit(rows: Tensor) -> Tensor:
    """Scale each row of [rows, d] to norm 1, in float64; rows of zeros stay."""
    unit: Tensor = rows.double() / rows.double().norm(dim=-1, keepdim=True).clamp(min=1e-12)
    return unit
