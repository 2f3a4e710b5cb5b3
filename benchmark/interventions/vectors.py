"""Steering vectors: differences in means, how a mapper carries them, and random vectors of the same norms.

A vector has one row per position, [positions, d]; its norm is the Frobenius norm over all of them.
"""

from collections.abc import Callable, Sequence
from typing import Literal, get_args

import torch
from torch import Generator, Tensor

from graftbench.benchmark.activations.capture import captured
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.models.chat import Chat
from graftbench.benchmark.models.load import Model
from graftbench.benchmark.models.tokens import positions_of, token_ids

VectorRule = Literal["difference", "linear", "jacobian", "direct"]
VECTOR_RULES: tuple[VectorRule, ...] = get_args(VectorRule)
Map = Callable[[Tensor], Tensor]

_NO_LENGTH = 1e-12
_ROUNDING = 1e-6  # of a vector's norm: a position that is shorter than this holds rounding errors, and no direction


def states_at(model: Model, texts: Sequence[Chat], site: int, positions: str | int) -> Tensor:
    """The residual stream [texts, positions, d] at the named positions of each text, in float64.

    Texts with fewer positions than the longest have zeros at the left: positions are paired from the right.
    ValueError for `all`, which is no list of positions.
    """
    where = [positions_of(positions, text, model.tokenizer) for text in texts]
    if any(w is None for w in where):
        raise ValueError("`all` positions have no states of their own; name positions of the prompt")
    named = [w for w in where if w is not None]
    found = torch.zeros(len(texts), max(map(len, named)), model.d, dtype=torch.float64)
    rows = [token_ids(text.text, model.tokenizer) for text in texts]
    for i, states in captured(model, rows, site):
        picked = states[[len(states) + p for p in named[i]]]
        found[i, found.shape[1] - len(picked) :] = picked.double().cpu()
    return found


def states_over(model: Model, texts: Sequence[tuple[Chat, Chat]], site: int, n: int) -> Tensor:
    """The residual stream [texts, 1 + n, d] at the last token of each text and at the next `n`, in float64.

    The second of each pair goes on from the first. Zeros stand where it ends sooner.
    """
    found = torch.zeros(len(texts), 1 + n, model.d, dtype=torch.float64)
    last = [len(token_ids(text.text, model.tokenizer)) - 1 for text, _ in texts]
    rows = [token_ids(longer.text, model.tokenizer) for _, longer in texts]
    for i, states in captured(model, rows, site):
        picked = states[last[i] : last[i] + 1 + n]
        found[i, : len(picked)] = picked.double().cpu()
    return found


def difference_in_means(desired: Tensor, undesired: Tensor) -> Tensor:
    """Mean over rows of `desired` minus that of `undesired`, both [rows, ..., d], in float64.

    Of a single pair it is the vector of ActAdd (Turner et al., 2023).
    """
    return desired.double().mean(0) - undesired.double().mean(0)


def mapped_vector(mapper: Map, desired: Tensor, undesired: Tensor, rule: VectorRule = "difference") -> Tensor:
    """The difference in means of source states [rows, positions, d_source], carried into the target [positions, d].

    `difference`: mean f(h+) - mean f(h-), defined for any map. `linear`: f(v) - f(0), which is the matrix alone
    where f is affine. `jacobian`: the derivative of f at the mean of the undesired states, along v. `direct`: f(v),
    offset and all (as in Bello et al., 2025).
    """
    vector = difference_in_means(desired, undesired).float()
    if rule == "difference":
        return difference_in_means(_each(mapper, desired), _each(mapper, undesired))
    if rule == "linear":
        return (mapper(vector) - mapper(torch.zeros_like(vector))).double()
    if rule == "jacobian":
        base = undesired.mean(0).float()
        derivative: Tensor = torch.func.jvp(mapper, (base,), (vector,))[1]
        return derivative.double()
    if rule == "direct":
        return mapper(vector).double()
    raise UserError(f"There is no vector rule {rule!r}. Known rules: {', '.join(VECTOR_RULES)}.")


def _each(mapper: Map, states: Tensor) -> Tensor:
    flat = mapper(states.flatten(0, 1).float())
    return flat.double().reshape(*states.shape[:2], -1)


def paired_positions(vector: Tensor, n: int) -> Tensor:
    """A vector [positions, d] for `n` positions: paired from the right, zero where it has none."""
    kept = vector[max(0, len(vector) - n) :]
    return torch.cat([vector.new_zeros(n - len(kept), vector.shape[-1]), kept])


def norm_of(vector: Tensor) -> float:
    """The Frobenius norm over positions."""
    return float(vector.double().norm())


def is_zero(vector: Tensor) -> bool:
    """Whether a vector is too short to have a direction."""
    return norm_of(vector) < _NO_LENGTH


def rescaled(vector: Tensor, norm: float) -> Tensor:
    """The same direction with another norm. ValueError for a zero vector."""
    if is_zero(vector):
        raise ValueError("a zero vector has no direction")
    return vector * (norm / norm_of(vector))


def as_long_as(vector: Tensor, other: Tensor) -> Tensor:
    """The directions of `vector` [positions, d], at every position as long as `other` [positions, d] is there.

    A position where `vector` is zero, or nothing but rounding errors, has no direction and stays zero.
    """
    lengths = vector.norm(dim=-1, keepdim=True)
    pointing = lengths > max(_NO_LENGTH, _ROUNDING * norm_of(vector))
    scale = other.norm(dim=-1, keepdim=True) / lengths.where(pointing, torch.ones_like(lengths))
    scaled: Tensor = (vector * scale).where(pointing, torch.zeros_like(vector))
    return scaled


def means_over_positions(vectors: Sequence[Tensor], other: Tensor) -> list[Tensor]:
    """The mean [d] over positions of each vector [positions, d], as long as that of `other`; none of one that is zero.

    Rows that point elsewhere cancel in a mean, so that vectors of the same norms have means of unlike norms.
    """
    means = [vector.mean(0) for vector in vectors]
    return [rescaled(mean, norm_of(other.mean(0))) for mean in means if not is_zero(mean)]


def random_like(vector: Tensor, draws: int, seed: int) -> Tensor:
    """`draws` random vectors [draws, ..., d], each position as long as that of `vector` [..., d]."""
    noise = torch.randn((draws, *vector.shape), generator=Generator().manual_seed(seed), dtype=torch.float64)
    unit: Tensor = noise / noise.norm(dim=-1, keepdim=True)
    scaled: Tensor = unit * vector.double().norm(dim=-1, keepdim=True)
    return scaled


def permuted_contrasts(desired: Tensor, undesired: Tensor, draws: int, seed: int) -> list[Tensor | None]:
    """The difference in means with the labels of all states [rows, ..., d] permuted, rescaled to the true one's norm.

    None where the permuted difference is zero.
    """
    together = torch.cat([desired, undesired]).double()
    norm = norm_of(difference_in_means(desired, undesired))
    generator = Generator().manual_seed(seed)
    found: list[Tensor | None] = []
    for _ in range(draws):
        order = torch.randperm(len(together), generator=generator)
        vector = difference_in_means(together[order[: len(desired)]], together[order[len(desired) :]])
        found.append(None if norm_of(vector) < 1e-6 * norm else rescaled(vector, norm))
    return found
