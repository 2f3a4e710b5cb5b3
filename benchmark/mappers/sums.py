"""What closed forms need to know of paired activations, summed up in one pass over them."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..pairs import Pairs, Rows

BATCH = 8192


@dataclass
class Sums:
    """Count, means and centred second moments of source and target rows, in float64.

    Sums are taken about the means of the first rows seen: those about zero lose digits where a few dimensions
    are large, as they are in real models.
    """

    n: int
    mean_source: Tensor
    mean_target: Tensor
    source: Tensor  # [d_source, d_source], sum of outer products of centred rows
    across: Tensor  # [d_source, d_target]
    target: Tensor  # [d_target]: sum of squares of centred rows, per dimension


def sums_of(pairs: Pairs) -> Sums:
    """The sums over all pairs, streamed."""
    return sums_over(pairs.batches(BATCH, None), pairs.d_source, pairs.d_target)


def sums_over(batches: Iterable[Rows], d_source: int, d_target: int) -> Sums:
    """The sums over some batches of rows."""
    n, shift = 0, None
    first_s = second_s = first_t = across = square_t = torch.zeros(())
    for rows in batches:
        if shift is None:
            shift = rows[0].mean(0), rows[1].mean(0)
            zeros = rows[0].new_zeros(1, dtype=torch.float64)
            first_s, second_s = zeros.new_zeros(d_source), zeros.new_zeros(d_source, d_source)
            first_t, across = zeros.new_zeros(d_target), zeros.new_zeros(d_source, d_target)
            square_t = zeros.new_zeros(d_target)
        source, target = (rows[0] - shift[0]).double(), (rows[1] - shift[1]).double()
        n += len(source)
        first_s, first_t = first_s + source.sum(0), first_t + target.sum(0)
        second_s, across = second_s.addmm_(source.T, source), across.addmm_(source.T, target)
        square_t = square_t + target.square().sum(0)
    if shift is None:
        raise ValueError("there are no pairs to fit on")
    mean_s, mean_t = first_s / n, first_t / n
    return Sums(
        n,
        shift[0] + mean_s,
        shift[1] + mean_t,
        second_s - n * torch.outer(mean_s, mean_s),
        across - n * torch.outer(mean_s, mean_t),
        square_t - n * mean_t.square(),
    )
