"""Gradient descent for mappers that are `nn.Module`s: schedules and the training loop."""

import copy
from dataclasses import dataclass

import torch
from torch import nn

from graftbench.benchmark.activations.pairs import HELD_OUT, Pairs
from graftbench.benchmark.mappers.protocol import TrainingRecord


@dataclass(frozen=True)
class AdamWSchedule:
    """AdamW at a learning rate that is halved when the held-out error stops improving."""

    rate: float
    batch: int  # rows
    epochs: int
    patience: int | None  # epochs without improvement before the rate is halved; None: it never is
    least_rate: float = 0.0  # training ends below it


UNTIL_CONVERGED = AdamWSchedule(rate=2e-3, batch=512, epochs=300, patience=4, least_rate=5e-5)


def published_schedule(pairs: Pairs) -> AdamWSchedule:
    """AdamW at 1e-4 for 3 epochs, 16 texts at a time, 4 such batches a step: Oozeer et al. (2025), table 22."""
    return AdamWSchedule(rate=1e-4, batch=max(1, 64 * len(pairs) // pairs.n_texts), epochs=3, patience=None)


def train(module: nn.Module, pairs: Pairs, schedule: AdamWSchedule, seed: int) -> TrainingRecord:
    """Minimise the mean squared error, and keep the state with the lowest error on held-out texts."""
    training, held_out = pairs.split(HELD_OUT)
    optimizer = torch.optim.AdamW(module.parameters(), lr=schedule.rate)
    best, best_error, since, steps = copy.deepcopy(module.state_dict()), float("inf"), 0, 0
    losses: list[float] = []
    for epoch in range(schedule.epochs):
        steps += _epoch(module, training, optimizer, schedule.batch, seed * 100_003 + epoch)
        losses.append(_error(module, held_out))
        if losses[-1] < best_error * (1 - 1e-4):
            best, best_error, since = copy.deepcopy(module.state_dict()), losses[-1], 0
        else:
            since += 1
        if schedule.patience is not None and since > schedule.patience:
            module.load_state_dict(best)
            optimizer.param_groups[0]["lr"] /= 2
            since = 0
        if optimizer.param_groups[0]["lr"] < schedule.least_rate:
            break
    module.load_state_dict(best)
    return {"epochs": len(losses), "steps": steps, "losses": [round(loss, 6) for loss in losses]}


def _epoch(module: nn.Module, pairs: Pairs, optimizer: torch.optim.Optimizer, batch: int, seed: int) -> int:
    """Train on all pairs once, and return the number of steps."""
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
    """Return the mean squared error per element."""
    total = sum(float((module(source) - target).square().sum()) for source, target in pairs)
    return total / (len(pairs) * pairs.d_target)


def reinitialise(module: nn.Module, seed: int) -> None:
    """Draw the parameters of all linear layers anew, uniform within 1 / sqrt(inputs), from `seed` alone."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for layer in module.modules():
            if isinstance(layer, nn.Linear):
                bound = layer.in_features**-0.5
                for parameter in (layer.weight, layer.bias):
                    parameter.copy_(torch.rand(parameter.shape, generator=generator) * 2 * bound - bound)
