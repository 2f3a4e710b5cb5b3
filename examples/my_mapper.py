"""A mapper to begin with: `graftbench score examples/my_mapper.py:MyMapper`. Least squares, one matrix, no options."""

from dataclasses import dataclass, field

import torch


@dataclass
class MyMapper:
    """Carries activations by the matrix that predicts the target's from the source's best."""

    name = "my_mapper"
    deterministic = True  # the seed changes nothing: one seed will do
    weight: torch.Tensor = field(default_factory=lambda: torch.empty(0))

    def fit(self, pairs, *, seed: int) -> None:  # noqa: ANN001, ARG002
        """Solve the normal equations, with a little on the diagonal."""
        xx = xy = torch.zeros(())  # so that they lie where the batches lie
        for source, target in pairs.batches(4096, None):
            xx, xy = xx + source.T @ source, xy + source.T @ target
        self.weight = torch.linalg.solve(xx + 1e-3 * xx.trace() / len(xx) * torch.eye(len(xx), device=xx.device), xy)

    def __call__(self, source: torch.Tensor) -> torch.Tensor:
        """Activations [..., d_source] of the source, carried to [..., d_target]."""
        return source @ self.weight
