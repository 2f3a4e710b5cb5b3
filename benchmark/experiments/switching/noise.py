"""Noise with the covariance of a mapper's residuals."""

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


def residual_factor(mapper: FittedMapper) -> Tensor:
    """Return the symmetric square root [d, d] of the covariance of a mapper's residuals, in float64.

    A normal vector times it has that covariance. The symmetric root is unique, so the noise does not depend on the
    signs or order of the eigenvectors.
    """
    n, total, squares = 0, torch.zeros(()), torch.zeros(())
    for source, target in mapper.held_out:
        residual = (target - mapper.carry(source)).double().cpu()
        n, total, squares = n + len(residual), total + residual.sum(0), squares + residual.T @ residual
    mean = total / n
    values, vectors = torch.linalg.eigh(squares / n - torch.outer(mean, mean))
    factor: Tensor = vectors * values.clamp(min=0).sqrt() @ vectors.T
    return factor


def matched_noise(
    design: SwitchingDesign, factors: Sequence[Tensor], draws: int, max_new_tokens: int, seed: int
) -> list[Condition]:
    """Return the direct patch with noise at every site and position, drawn anew for each prompt and draw.

    `factors` has the root of the covariance [d, d] of each site.
    """
    direct = design.patched()  # one for all draws, which then share one reading of the other version
    return [_noisy(design, direct, factors, draw, max_new_tokens, seed) for draw in range(draws)]


def _noisy(
    design: SwitchingDesign, direct: Condition, factors: Sequence[Tensor], draw: int, max_new_tokens: int, seed: int
) -> Condition:
    def row(item: Example, text: Chat) -> Row:
        n = len(token_ids(text.text, design.running.tokenizer))
        steps: list[Add] = []
        for (_, site), factor in zip(design.all_sites, factors, strict=True):
            of_site = f" {site}" if steps else ""
            drawn = _drawn(factor, n + max_new_tokens, f"{seed} {draw} {item.id}{of_site}")
            steps.append(Add(site, drawn[:n], tuple(range(-n, 0)), generated=drawn[n:]))
        return replace(direct.row(item, text), interventions=tuple(steps))

    return Condition("matched_noise", row, draw, of_mapper=True)


def _drawn(factor: Tensor, n: int, key: str) -> Tensor:
    """Return noise [n, d], the same for the same key."""
    generator = Generator().manual_seed(int(digest(key)[:15], 16))
    normal = torch.randn(n, len(factor), generator=generator, dtype=torch.float64)
    return (normal @ factor.T).float()
