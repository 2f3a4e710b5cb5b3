"""Mappers that are trained by gradient descent: how far, and on what loss."""

import copy
from dataclasses import dataclass

import torch
from torch import nn

from graftbench.benchmark.activations.pairs import Pairs
from graftbench.benchmark.mappers.protocol import Record

HELD_OUT = 0.1  # of the texts


@dataclass(frozen=True)
class Descent:
    """A way to train: AdamW at a learning rate, which is halved when held-out rows have stopped improving."""

    rate: float
    batch: int  # rows
    epochs: int
    patience: int | None  # epochs without improvement before the rate is halved; None: it never is
    least_rate: float = 0.0  # training ends below it


CONVERGED = Descent(rate=2e-3, batch=512, epochs=300, patience=4, least_rate=5e-5)


def published(pairs: Pairs) -> Descent:
    """AdamW at 1e-4 for 3 epochs, 16 texts at a time, 4 such batches a step: Oozeer et al. (2025), table 22."""
    return Descent(rate=1e-4, batch=max(1, 64 * len(pairs) // pairs.n_texts), epochs=3, patience=None)


def descend(module: nn.Module, pairs: Pairs, how: Descent, seed: int) -> Record:
    """Minimise the mean squared error; keeps the state that does best on held-out texts."""
    fitted, held = pairs.split(HELD_OUT)
    optimizer = torch.optim.AdamW(module.parameters(), lr=how.rate)
    best, best_error, since, steps = copy.deepcopy(module.state_dict()), float("inf"), 0, 0
    losses: list[float] = []
    for epoch in range(how.epochs):
        steps += _epoch(module, fitted, optimizer, how.batch, seed * 100_003 + epoch)
        losses.append(_error(module, held))
        if losses[-1] < best_error * (1 - 1e-4):
            best, best_error, since = copy.deepcopy(module.state_dict()), losses[-1], 0
        else:
            since += 1
        if how.patience is not None and since > how.patience:
            module.load_state_dict(best)
            optimizer.param_groups[0]["lr"] /= 2
            since = 0
        if optimizer.param_groups[0]["lr"] < how.least_rate:
            break
    module.load_state_dict(best)
    return {"epochs": len(losses), "steps": steps, "losses": [round(loss, 6) for loss in losses]}


def _epoch(module: nn.Module, pairs: Pairs, optimizer: torch.optim.Optimizer, batch: int, seed: int) -> int:
    steps = 0
    for source, target in pairs.batches(batch, seed):
        loss = nn.functional.mse_loss(module(source), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        steps += 1
    return steps


@torch.no_grad()
def _error(module: nn.Module, pairs: Pairs) -> float:
    """Mean squared error per element."""
    total = sum(float((module(source) - target).square().sum()) for source, target in pairs)
    return total / (len(pairs) * pairs.d_target)


def seeded(module: nn.Module, seed: int) -> None:
    """Draw the parameters of linear layers anew: uniform within 1 / sqrt(inputs), from `seed` alone."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for layer in module.modules():
            if isinstance(layer, nn.Linear):
                bound = layer.in_features**-0.5
                for parameter in (layer.weight, layer.bias):
                    parameter.copy_(torch.rand(parameter.shape, generator=generator) * 2 * bound - bound)
