"""The Muon optimizer (Jordan et al., 2024) in float32.

`torch.optim.Muon` orthogonalises in bfloat16: on a CPU without bfloat16 instructions that took four fifths of a
training step.
"""

import math
from collections.abc import Iterable

import torch
from torch import Tensor

_A, _B, _C = 3.4445, -4.7750, 2.0315  # of the quintic iteration, as published
_ITERATIONS = 5
_MOMENTUM = 0.95


class Muon(torch.optim.Optimizer):
    """Momentum with orthogonalised updates of matrices, scaled to the root mean square of AdamW's updates."""

    def __init__(self, matrices: Iterable[Tensor], weight_decay: float, rate: float | Tensor = 0.0) -> None:
        super().__init__(matrices, {"lr": rate, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """Update every matrix that has a gradient."""
        for group in self.param_groups:
            matrices = [p for p in group["params"] if p.grad is not None]
            updates = orthogonal(self._nesterov(matrices))
            torch._foreach_mul_(matrices, 1 - group["lr"] * group["weight_decay"])
            _move(matrices, updates, group["lr"])

    def _nesterov(self, matrices: list[Tensor]) -> list[Tensor]:
        """Return the Nesterov momenta of matrices, each of the same shape."""
        for matrix in matrices:
            if "momentum_buffer" not in self.state[matrix]:
                self.state[matrix]["momentum_buffer"] = torch.zeros_like(matrix)
        gradients = [matrix.grad for matrix in matrices if matrix.grad is not None]
        momenta = [self.state[matrix]["momentum_buffer"] for matrix in matrices]
        torch._foreach_lerp_(momenta, gradients, 1 - _MOMENTUM)
        return list(torch._foreach_lerp(gradients, momenta, _MOMENTUM))


def _move(matrices: list[Tensor], updates: list[Tensor], rate: float | Tensor) -> None:
    """Take updates off matrices, at a rate that lies on their device or is a number."""
    if isinstance(rate, Tensor):
        factors = [-0.2 * math.sqrt(max(matrix.shape)) for matrix in matrices]
        torch._foreach_add_(matrices, torch._foreach_mul(torch._foreach_mul(updates, factors), rate))
        return
    for matrix, update in zip(matrices, updates, strict=True):
        matrix.add_(update, alpha=-rate * 0.2 * math.sqrt(max(matrix.shape)))


def orthogonal(matrices: list[Tensor]) -> list[Tensor]:
    """Push the singular values of matrices [m, n] towards 1, by Newton-Schulz; those of one shape are batched."""
    by_index: dict[int, Tensor] = {}
    for shape in {tuple(matrix.shape) for matrix in matrices}:
        which = [i for i, matrix in enumerate(matrices) if tuple(matrix.shape) == shape]
        by_index |= dict(zip(which, _iterated(torch.stack([matrices[i] for i in which])), strict=True))
    return [by_index[i] for i in range(len(matrices))]


def _iterated(matrices: Tensor) -> Tensor:
    """Run the Newton-Schulz iteration on matrices [k, m, n]."""
    tall = matrices.shape[-2] > matrices.shape[-1]
    x: Tensor = matrices.mT if tall else matrices
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-7)
    for _ in range(_ITERATIONS):
        gram = x @ x.mT
        x = _A * x + (_B * gram + _C * gram @ gram) @ x
    return x.mT if tall else x
