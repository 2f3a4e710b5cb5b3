"""Steering vectors: differences in means, and random vectors of the same norms."""

import torch
from torch import Generator, Tensor


def difference_in_means(desired: Tensor, undesired: Tensor) -> Tensor:
    """Mean over rows of `desired` minus that of `undesired`, both [rows, ..., d], in float64."""
    return desired.double().mean(0) - undesired.double().mean(0)


def random_like(vector: Tensor, draws: int, seed: int) -> Tensor:
    """`draws` random vectors [draws, ..., d], each position as long as that of `vector` [..., d]."""
    noise = torch.randn((draws, *vector.shape), generator=Generator().manual_seed(seed), dtype=torch.float64)
    unit: Tensor = noise / noise.norm(dim=-1, keepdim=True)
    scaled: Tensor = unit * vector.double().norm(dim=-1, keepdim=True)
    return scaled
