"""Interventions on the residual stream: add, replace, rewrite, ablate."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

Positions = tuple[int, ...] | None  # tokens of the prompt, counted from the right; None: all, generated ones too


@dataclass(frozen=True, eq=False)
class Add:
    """Add to the input of block `site` a vector for each position [positions, d], or one for all of them [d].

    `generated` [tokens, d] is added to the generated tokens, one row each; later tokens get nothing.
    """

    site: int
    vectors: Tensor
    positions: Positions
    generated: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Replace:
    """Replace the input of block `site` by a vector for each position [positions, d], or one for all of them [d]."""

    site: int
    vectors: Tensor
    positions: Positions


@dataclass(frozen=True, eq=False)
class Rewrite:
    """Apply the function `by`, [n, d] -> [n, d], to the input of block `site` at all positions, generated ones too.

    `identity` stands for the function in the cache keys of completions.
    """

    site: int
    by: Callable[[Tensor], Tensor]
    identity: str


@dataclass(frozen=True, eq=False)
class Ablate:
    """Project a direction [d] out of the residual stream and of everything that is written to it.

    As in Arditi et al. (2024), section 2.4: out of the input, the attention output and the MLP output of every block,
    at every position, generated ones too.
    """

    direction: Tensor


Intervention = Add | Replace | Rewrite | Ablate


def at_generated(steps: Sequence[Intervention], n: int) -> tuple[Intervention, ...]:
    """Return the interventions of a pass that reads generated token number `n` alone, counted from 1."""
    return tuple(now for step in steps for now in _at_generated(step, n))


def _at_generated(step: Intervention, n: int) -> list[Intervention]:
    if isinstance(step, Ablate | Rewrite) or step.positions is None:
        return [step]
    if isinstance(step, Add) and step.generated is not None and n <= len(step.generated):
        return [Add(step.site, step.generated[n - 1], None)]
    return []


def shifted(steps: Sequence[Intervention], by: int, n_tokens: int) -> tuple[Intervention, ...]:
    """Shift all positions to the left by `by` tokens; those outside of `n_tokens` tokens are dropped.

    Vectors for generated tokens get the positions of the tokens after the prompt.
    """
    return tuple(part for step in steps for part in _shifted(step, by, n_tokens))


def _shifted(step: Intervention, by: int, n_tokens: int) -> list[Intervention]:
    if isinstance(step, Ablate | Rewrite) or step.positions is None:
        return [step]
    parts: list[Intervention] = []
    inside = [(i, p - by) for i, p in enumerate(step.positions) if -n_tokens <= p - by < 0]
    where = tuple(p for _, p in inside)
    vectors = step.vectors if step.vectors.ndim == 1 else step.vectors[[i for i, _ in inside]]
    generated = step.generated if isinstance(step, Add) else None
    if isinstance(step, Add) and generated is not None and by == 0:  # no generated token is read yet
        return [Add(step.site, vectors, where, generated)]
    if inside:
        parts.append((Add if isinstance(step, Add) else Replace)(step.site, vectors, where))
    if generated is not None and by > 0:
        n = min(len(generated), by)
        parts.append(Add(step.site, generated[:n], tuple(range(-by, n - by))))
    return parts
