"""Steering vectors: differences in means, rules to map them, norms, and random vectors of the same norms.

A vector has one row per position, [positions, d]; its norm is the Frobenius norm over all of them. Functions that
make a vector return it in float64, whatever the dtype of the states; the others keep its dtype. Maps are called on
float32, as they are fitted.
"""

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Generator, Tensor

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.interventions.rules import VECTOR_RULES, VectorRule

Map = Callable[[Tensor], Tensor]  # float32 [..., d_source] -> [..., d_target]


@runtime_checkable
class MapWithDerivative(Protocol):
    """A map that knows its derivative; of any other, torch computes it."""

    def __call__(self, source: Tensor) -> Tensor:
        """Map [..., d_source] to [..., d_target]."""

    def derivative(self, at: Tensor, along: Tensor) -> Tensor:
        """Return the directional derivative [..., d_target] at `at` along `along`, both [..., d_source]."""


_ZERO_NORM = 1e-12
_ROUNDING = 1e-6  # times a vector's norm: a position with a smaller norm holds nothing but rounding errors


def difference_in_means(desired: Tensor, undesired: Tensor) -> Tensor:
    """Return the mean over rows of `desired` minus that of `undesired`, both [rows, ..., d], in float64.

    For a single pair it is the vector of ActAdd (Turner et al., 2023).
    """
    return desired.double().mean(0) - undesired.double().mean(0)


def mapped_vector(mapper: Map, desired: Tensor, undesired: Tensor, rule: VectorRule = "difference") -> Tensor:
    """Return the difference in means v of source states [rows, positions, d_source], mapped to [positions, d_target].

    `difference`: mean f(h+) - mean f(h-), defined for any map f. `linear`: f(v) - f(0), for an affine f the product
    with its matrix. `jacobian`: the directional derivative of f along v, at the mean of the undesired states.
    `direct`: f(v), offset included (as in Bello et al., 2025). UserError for an unknown rule.
    """
    vector = difference_in_means(desired, undesired).float()
    if rule == "difference":
        return difference_in_means(_map_states(mapper, desired), _map_states(mapper, undesired))
    if rule == "linear":
        return (mapper(vector) - mapper(torch.zeros_like(vector))).double()
    if rule == "jacobian":
        base = undesired.mean(0).float()
        if isinstance(mapper, MapWithDerivative):
            return mapper.derivative(base, vector).double()
        derivative: Tensor = torch.func.jvp(mapper, (base,), (vector,))[1]
        return derivative.double()
    if rule == "direct":
        return mapper(vector).double()
    raise UserError(f"There is no vector rule {rule!r}. Known rules: {', '.join(VECTOR_RULES)}.")


def _map_states(mapper: Map, states: Tensor) -> Tensor:
    """Map states [rows, positions, d_source] to [rows, positions, d_target], in float64."""
    flat = mapper(states.flatten(0, 1).float())
    return flat.double().reshape(*states.shape[:2], -1)


def paired_positions(vector: Tensor, n: int) -> Tensor:
    """Cut a vector [positions, d] at the left, or pad it there with zeros, to [n, d]."""
    paired = vector[max(0, len(vector) - n) :]
    return torch.cat([vector.new_zeros(n - len(paired), vector.shape[-1]), paired])


def norm_of(vector: Tensor) -> float:
    """Return the Frobenius norm of a vector [d] or [positions, d]."""
    return float(vector.double().norm())


def is_zero(vector: Tensor) -> bool:
    """Return whether the norm of a vector [d] or [positions, d] is zero, up to rounding."""
    return norm_of(vector) < _ZERO_NORM


def rescaled(vector: Tensor, norm: float) -> Tensor:
    """Return a vector [d] or [positions, d] with another norm. ValueError for a zero vector."""
    if is_zero(vector):
        raise ValueError("a zero vector has no direction")
    return vector * (norm / norm_of(vector))


def match_norms(vector: Tensor, reference: Tensor) -> Tensor:
    """Rescale each position of `vector` to the norm that `reference` has there; both [positions, d].

    Positions where `vector` is zero up to rounding have no direction, and stay zero.
    """
    norms = vector.norm(dim=-1, keepdim=True)
    nonzero = norms > max(_ZERO_NORM, _ROUNDING * norm_of(vector))
    scale = reference.norm(dim=-1, keepdim=True) / norms.where(nonzero, torch.ones_like(norms))
    scaled: Tensor = (vector * scale).where(nonzero, torch.zeros_like(vector))
    return scaled


def means_over_positions(vectors: Sequence[Tensor], reference: Tensor) -> list[Tensor]:
    """Return the mean over positions [d] of each vector [positions, d], at the norm of the mean of `reference`.

    They are rescaled because positions of different directions cancel: vectors of equal norms have means of different
    norms. Means that are zero are left out.
    """
    means = [vector.mean(0) for vector in vectors]
    return [rescaled(mean, norm_of(reference.mean(0))) for mean in means if not is_zero(mean)]


def random_like(vector: Tensor, draws: int, seed: int) -> Tensor:
    """Return random vectors [draws, ..., d] with the norm of `vector` [..., d] at each position."""
    noise = torch.randn((draws, *vector.shape), generator=Generator().manual_seed(seed), dtype=torch.float64)
    return _at_norms_of(vector, noise)


def random_with_covariance(vector: Tensor, states: Tensor, draws: int, seed: int) -> Tensor:
    """Return normal vectors [draws, ..., d] with the covariance of states [rows, d], at the norms of `vector` [..., d].

    Normal weights of the centred states have their covariance, whatever its rank. ValueError where states do not vary.
    """
    centred = states.double() - states.double().mean(0)
    if norm_of(centred) < _ROUNDING * norm_of(states):
        raise ValueError("activations that do not vary have no covariance")
    generator = Generator().manual_seed(seed)
    weights = torch.randn((draws, *vector.shape[:-1], len(states)), generator=generator, dtype=torch.float64)
    return _at_norms_of(vector, weights @ centred)


def _at_norms_of(vector: Tensor, noise: Tensor) -> Tensor:
    """Rescale noise [draws, ..., d] to the norm that `vector` [..., d] has at each position."""
    unit: Tensor = noise / noise.norm(dim=-1, keepdim=True)
    scaled: Tensor = unit * vector.double().norm(dim=-1, keepdim=True)
    return scaled


def permuted_contrasts(desired: Tensor, undesired: Tensor, draws: int, seed: int) -> list[Tensor | None]:
    """Return differences in means [..., d] after permuting the labels of all states [rows, ..., d], one for each draw.

    They are rescaled to the norm of the true difference; None where the permuted one is zero.
    """
    together = torch.cat([desired, undesired]).double()
    norm = norm_of(difference_in_means(desired, undesired))
    generator = Generator().manual_seed(seed)
    vectors: list[Tensor | None] = []
    for _ in range(draws):
        order = torch.randperm(len(together), generator=generator)
        vector = difference_in_means(together[order[: len(desired)]], together[order[len(desired) :]])
        vectors.append(_rescaled_unless_zero(vector, norm))
    return vectors


def balanced_contrasts(
    desired: Tensor, undesired: Tensor, draws: int, seed: int, *, paired: bool
) -> list[Tensor | None]:
    """Return differences in means [..., d] after flipping the labels of exactly half of the states, one for each draw.

    Where row i of `desired` and of `undesired`, both [rows, ..., d], are a pair, they are flipped together, else half
    of each side are. So what the true difference has in all rows cancels, which it does not in `permuted_contrasts`. Of
    an odd number of rows one is left out. Vectors are rescaled to the norm of the true difference; None where zero.
    """
    norm = norm_of(difference_in_means(desired, undesired))
    generator = Generator().manual_seed(seed)
    vectors: list[Tensor | None] = []
    for _ in range(draws):
        of_desired = _balanced_signs(len(desired), generator)
        of_undesired = of_desired if paired else _balanced_signs(len(undesired), generator)
        means = (
            torch.tensordot(signs, states.double(), dims=1) / len(states)
            for signs, states in ((of_desired, desired), (of_undesired, undesired))
        )
        vectors.append(_rescaled_unless_zero(next(means) - next(means), norm))
    return vectors


def _balanced_signs(n: int, generator: Generator) -> Tensor:
    """Return as many +1 as -1 [n] in random order, with a 0 among them where `n` is odd."""
    signs = torch.zeros(n, dtype=torch.float64)
    order = torch.randperm(n, generator=generator)
    signs[order[: n // 2]], signs[order[n - n // 2 :]] = 1, -1
    return signs


def _rescaled_unless_zero(vector: Tensor, norm: float) -> Tensor | None:
    """Return a difference in means [..., d] with the norm of the true one, None where it is zero beside that."""
    return None if norm_of(vector) < _ROUNDING * norm else rescaled(vector, norm)
