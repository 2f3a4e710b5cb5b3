"""Closed-form linear maps: a weight and a bias, from second moments that are accumulated batch by batch."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from graftbench.benchmark.activations.pairs import PairRows, Pairs
from graftbench.benchmark.core.errors import TooFewPairsError, UserError

PENALTIES = tuple(10.0**k for k in range(-8, 2))  # times the mean eigenvalue of the source's scatter matrix
BATCH_ROWS = 8192


@dataclass
class Moments:
    """Count, means and centred second moments of `n` pairs of rows, in float64.

    They are accumulated about the means of the first batch: sums about zero lose digits where the mean of a dimension
    is large beside its spread, as in real models.
    """

    n: int
    mean_source: Tensor  # [d_source]
    mean_target: Tensor  # [d_target]
    source_scatter: Tensor  # [d_source, d_source]: sum of outer products of centred source rows
    cross_scatter: Tensor  # [d_source, d_target]: sum of outer products of centred source and target rows
    target_squares: Tensor  # [d_target]: sum of squares of centred target rows, per dimension


@dataclass
class Linear:
    """y = x W + b, with `weight` [d_source, d_target] and `bias` [d_target]."""

    weight: Tensor = field(default_factory=lambda: torch.empty(0), kw_only=True)
    bias: Tensor = field(default_factory=lambda: torch.empty(0), kw_only=True)

    def __call__(self, source: Tensor) -> Tensor:
        """Map activations [..., d_source] to [..., d_target]."""
        return source @ self.weight.to(source) + self.bias.to(source)

    def set_about_means(self, weight: Tensor, moments: Moments) -> None:
        """Set W and b so that y = (x - mean_source) W + mean_target; `weight` is [d_source, d_target]."""
        self.weight = weight.float()
        self.bias = (moments.mean_target - moments.mean_source @ weight).float()


def ridge_weights(moments: Moments, penalties: Sequence[float]) -> list[Tensor]:
    """Return the ridge solution [d_source, d_target] of each penalty (Hoerl and Kennard, 1970).

    Penalties are relative to the mean eigenvalue of the source's scatter matrix.
    """
    values, vectors = torch.linalg.eigh(moments.source_scatter)
    values = values.clamp(min=0)
    rotated = vectors.T @ moments.cross_scatter
    mean = values.mean().clamp(min=1e-30)
    return [vectors @ (rotated / (values + penalty * mean)[:, None]) for penalty in penalties]


def squared_error(weight: Tensor, fitted: Moments, held_out: Moments) -> float:
    """Return the sum of squared errors of a linear map on held-out rows, from their moments alone.

    The map is `weight` [d_source, d_target] about the means of `fitted`.
    """
    offset = (held_out.mean_target - fitted.mean_target) - (held_out.mean_source - fitted.mean_source) @ weight
    explained = 2 * (weight * held_out.cross_scatter).sum() - (weight * (held_out.source_scatter @ weight)).sum()
    return float(held_out.target_squares.sum() - explained + held_out.n * offset.square().sum())


def held_out_fvu(error: float, held_out: Moments) -> float:
    """Return a squared error on held-out rows as a share of their variance; TooFewPairsError where they have none."""
    variance = float(held_out.target_squares.sum())
    if variance == 0:
        raise TooFewPairsError("nothing can be chosen on held-out pairs that are one pair, or all alike")
    return error / variance


def best_penalty(fitted: Moments, held_out: Moments) -> float:
    """Return the penalty of the ridge solution with the lowest error on held-out rows."""
    errors = [squared_error(weight, fitted, held_out) for weight in ridge_weights(fitted, PENALTIES)]
    return PENALTIES[errors.index(min(errors))]


def check_rank(name: str, rank: int) -> None:
    """Raise UserError where the rank that a mapper is given is below 0."""
    if rank < 0:
        raise UserError(f"{name}'s rank is 0 (chosen on held-out texts) or more, not {rank}.")


def ranks_up_to(full: int) -> list[int]:
    """Return the ranks that are tried on held-out rows: the powers of two below full rank, and full rank."""
    return [2**k for k in range(full.bit_length()) if 2**k < full] + [full]


def merge_moments(a: Moments, b: Moments) -> Moments:
    """Return the moments of the rows of both, without another pass over them (Chan et al., 1979)."""
    n = a.n + b.n
    shift_s, shift_t, share = b.mean_source - a.mean_source, b.mean_target - a.mean_target, a.n * b.n / n
    return Moments(
        n,
        a.mean_source + shift_s * (b.n / n),
        a.mean_target + shift_t * (b.n / n),
        a.source_scatter + b.source_scatter + share * torch.outer(shift_s, shift_s),
        a.cross_scatter + b.cross_scatter + share * torch.outer(shift_s, shift_t),
        a.target_squares + b.target_squares + share * shift_t.square(),
    )


def moments_of(pairs: Pairs) -> Moments:
    """Return the moments of all pairs, in one pass."""
    return moments_of_batches(pairs.batches(BATCH_ROWS, None), pairs.d_source, pairs.d_target)


def moments_of_target(pairs: Pairs) -> Moments:
    """Return the moments of the target's rows of all pairs, in one pass, as those of a source without a target.

    `moments_of` has the diagonal of the target's scatter matrix alone, which is all that a regression needs.
    """
    rows = ((target, target[:, :0]) for _, target in pairs.batches(BATCH_ROWS, None))
    return moments_of_batches(rows, pairs.d_target, 0)


def moments_of_batches(batches: Iterable[PairRows], d_source: int, d_target: int) -> Moments:
    """Return the moments of all rows; a batch is source [rows, d_source] and target [rows, d_target].

    TooFewPairsError where there are none.
    """
    n, shift = 0, None  # the shift: means of the first batch, which all sums below are taken about
    sum_s = sum_t = outer_ss = outer_st = squares_t = torch.zeros(())
    for rows in batches:
        if shift is None:
            shift = rows[0].mean(0), rows[1].mean(0)
            zeros = rows[0].new_zeros(1, dtype=torch.float64)
            sum_s, sum_t = zeros.new_zeros(d_source), zeros.new_zeros(d_target)
            outer_ss, outer_st = zeros.new_zeros(d_source, d_source), zeros.new_zeros(d_source, d_target)
            squares_t = zeros.new_zeros(d_target)
        source, target = (rows[0] - shift[0]).double(), (rows[1] - shift[1]).double()
        n += len(source)
        sum_s, sum_t = sum_s + source.sum(0), sum_t + target.sum(0)
        outer_ss, outer_st = outer_ss.addmm_(source.T, source), outer_st.addmm_(source.T, target)
        squares_t = squares_t + target.square().sum(0)
    if shift is None:
        raise TooFewPairsError("there are no pairs to fit on")
    mean_s, mean_t = sum_s / n, sum_t / n
    return Moments(
        n,
        shift[0] + mean_s,
        shift[1] + mean_t,
        outer_ss - n * torch.outer(mean_s, mean_s),
        outer_st - n * torch.outer(mean_s, mean_t),
        squares_t - n * mean_t.square(),
    )
