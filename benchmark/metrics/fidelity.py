"""Fidelity of a mapper's predictions of the target's activations."""

from collections.abc import Iterable
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Fidelity:
    """Mean cosine, and fraction of variance unexplained: sum |y^ - y|^2 / sum |y - mean y|^2 (Oozeer et al., D)."""

    cosine: float | None
    fvu: float | None


def fidelity(rows: Iterable[tuple[Tensor, Tensor]]) -> Fidelity:
    """Compare predicted with true activations, in batches of two tensors [n, d]; a zero prediction has cosine 0.

    Both measures are None without rows, and the FVU is None where the true rows do not vary.
    """
    n, cosine, error, squares = 0, 0.0, 0.0, 0.0
    total: Tensor | None = None
    for predicted, true in rows:
        p, y = predicted.double(), true.double()
        n += len(y)
        norms = (p.norm(dim=-1) * y.norm(dim=-1)).clamp(min=1e-12)
        cosine += float(((p * y).sum(-1) / norms).sum())
        error += float((p - y).square().sum())
        squares += float(y.square().sum())
        total = y.sum(0) if total is None else total + y.sum(0)
    if total is None:
        return Fidelity(None, None)
    variance = squares - float(total.square().sum()) / n
    return Fidelity(cosine / n, error / variance if variance > 1e-9 * squares else None)
