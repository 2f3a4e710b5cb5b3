"""Interventions on the residual stream: add, replace, rewrite, ablate."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

Positions = tuple[int, ...] | None  # tokens of the prompt, counted from the right; None: all, generated ones too


@dataclass(frozen=True, eq=False)
class Add:
    """Add to the input of block `site` a vector for each position [positions, d], or one for all of them [d].

    `generated` holds what is added to the generated tokens, one after the other [tokens, d]; nothing where it ends.
    """

    site: int
    vectors: Tensor
    positions: Positions
    generated: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Replace:
    """Put vectors [positions, d], or one [d], in the place of the input of block `site`."""

    site: int
    vectors: Tensor
    positions: Positions


@dataclass(frozen=True, eq=False)
class Rewrite:
    """Put `by` of the input of block `site` [n, d] -> [n, d] in its place, at every position, generated ones too.

    `identity` stands for the function where completions are kept.
    """

    site: int
    by: Callable[[Tensor], Tensor]
    identity: str


@dataclass(frozen=True, eq=False)
class Ablate:
    """Project a direction [d] out of everything that is in the residual stream or written to it.

    Arditi et al. (2024), section 2.4: the input, the attention output and the MLP output of every block, at
    every position, generated tokens too.
    """

    direction: Tensor


Intervention = Add | Replace | Rewrite | Ablate


def moved(steps: Sequence[Intervention], by: int, n_tokens: int) -> tuple[Intervention, ...]:
    """The same with positions so many further to the left, as far as they lie in so many tokens.

    What is done to generated tokens is done to the tokens that then stand after the text.
    """
    return tuple(part for step in steps for part in _moved(step, by, n_tokens))


def _moved(step: Intervention, by: int, n_tokens: int) -> list[Intervention]:
    if isinstance(step, Ablate | Rewrite) or step.positions is None:
        return [step]
    found: list[Intervention] = []
    kept = [(i, p - by) for i, p in enumerate(step.positions) if -n_tokens <= p - by < 0]
    if kept:
        vectors = step.vectors if step.vectors.ndim == 1 else step.vectors[[i for i, _ in kept]]
        found.append((Add if isinstance(step, Add) else Replace)(step.site, vectors, tuple(p for _, p in kept)))
    generated = step.generated if isinstance(step, Add) else None
    if isinstance(step, Add) and generated is not None and by == 0:  # nothing of the reply is read yet
        rows = step.vectors if step.vectors.ndim == 1 else step.vectors[[i for i, _ in kept]]
        return [Add(step.site, rows, tuple(p for _, p in kept), generated)]
    if generated is not None and by > 0:
        n = min(len(generated), by)
        found.append(Add(step.site, generated[:n], tuple(range(-by, n - by))))
    return found
