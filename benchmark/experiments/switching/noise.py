"""Noise as large, and of the same shape, as what a mapper leaves unexplained."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Generator, Tensor

from graftbench.benchmark.core.hashing import digest
from graftbench.benchmark.data.examples import Example
from graftbench.benchmark.experiments.switching.design import SwitchingDesign
from graftbench.benchmark.interventions.conditions import Condition, Row
from graftbench.benchmark.interventions.operators import Add
from graftbench.benchmark.mappers.protocol import FittedMapper
from graftbench.benchmark.models.chat import Chat
from graftbench.benchmark.models.tokens import token_ids


def residual_factor(carrier: FittedMapper) -> Tensor:
    """The symmetric square root [d, d] of the covariance of what the mapper leaves unexplained, in float64.

    A normal vector times it has that covariance. Of all the roots it is the one that does not hang on the signs and
    the order in which eigenvectors happen to come.
    """
    n, total, squares = 0, torch.zeros(()), torch.zeros(())
    for source, target in carrier.held_out:
        left = (target - carrier.carry(source)).double().cpu()
        n, total, squares = n + len(left), total + left.sum(0), squares + left.T @ left
    mean = total / n
    values, vectors = torch.linalg.eigh(squares / n - torch.outer(mean, mean))
    factor: Tensor = vectors * values.clamp(min=0).sqrt() @ vectors.T
    return factor


def matched_noise(
    setting: SwitchingDesign, factors: Sequence[Tensor], draws: int, max_new_tokens: int, seed: int
) -> list[Condition]:
    """The direct patch with noise of that covariance at every site and position, fresh for each prompt and draw."""
    direct = setting.patched()  # one for all, so that the other version is read once for all draws
    return [_noisy(setting, direct, factors, draw, max_new_tokens, seed) for draw in range(draws)]


def _noisy(
    setting: SwitchingDesign, direct: Condition, factors: Sequence[Tensor], draw: int, max_new_tokens: int, seed: int
) -> Condition:
    def row(item: Example, text: Chat) -> Row:
        n = len(token_ids(text.text, setting.running.tokenizer))
        steps: list[Add] = []
        for (_, site), factor in zip(setting.all_sites, factors, strict=True):
            again = f" {site}" if steps else ""
            drawn = _drawn(factor, n + max_new_tokens, f"{seed} {draw} {item.id}{again}")
            steps.append(Add(site, drawn[:n], tuple(range(-n, 0)), generated=drawn[n:]))
        return replace(direct.row(item, text), interventions=tuple(steps))

    return Condition("matched_noise", row, draw, of_mapper=True)


def _drawn(factor: Tensor, n: int, of: str) -> Tensor:
    generator = Generator().manual_seed(int(digest(of)[:15], 16))
    normal = torch.randn(n, len(factor), generator=generator, dtype=torch.float64)
    return (normal @ factor.T).float()
