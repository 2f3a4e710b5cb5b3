"""Texts as a tree of tokens: what several texts begin with is there once."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import torch
from torch import Tensor

from graftbench.benchmark.interventions.operators import Add, Intervention, Replace

NO_PARENT = -1
Placed = Add | Replace  # what acts at tokens of its own
_Place = tuple[int, type[Placed], int]  # of a text's interventions: its index, its kind, its site


@dataclass(frozen=True, eq=False)
class _Vector:
    """A vector [d], and what stands for its values."""

    values: Tensor
    digest: bytes

    @classmethod
    def of(cls, values: Tensor) -> "_Vector":
        return cls(values, blake2b(values.cpu().numpy().tobytes(), digest_size=16).digest())


@dataclass(frozen=True)
class TokenTree:
    """Tokens, each after its parent, and the nodes of every text from its first token to its last."""

    tokens: tuple[int, ...]
    parents: tuple[int, ...]
    texts: tuple[tuple[int, ...], ...]

    def depths(self) -> list[int]:
        """Return for each node its position in the texts that it belongs to."""
        depths: list[int] = []
        for parent in self.parents:
            depths.append(0 if parent == NO_PARENT else depths[parent] + 1)
        return depths

    def visible(self) -> Tensor:
        """Return whether a node [nodes] sees another [nodes]: itself and those before it in its texts."""
        seen = torch.eye(len(self.tokens), dtype=torch.bool)
        for node, parent in enumerate(self.parents):
            if parent != NO_PARENT:
                seen[node] |= seen[parent]
        return seen


def tree_of(texts: Sequence[Sequence[int]], table: Sequence[Sequence[Sequence[Placed]]]) -> TokenTree:
    """Return the tree of some texts.

    `table` has the interventions [texts][conditions] on them. Tokens are one node where the same ones precede them and
    the same vectors act on them.
    """
    nodes: dict[Hashable, int] = {}
    tokens: list[int] = []
    parents: list[int] = []
    paths: list[tuple[int, ...]] = []
    for ids, by_condition in zip(texts, table, strict=True):
        node, path = NO_PARENT, []
        for token, marks in zip(ids, _marks(len(ids), by_condition), strict=True):
            key = (node, token, marks)
            if key not in nodes:
                nodes[key] = len(tokens)
                tokens.append(token)
                parents.append(node)
            node = nodes[key]
            path.append(node)
        paths.append(tuple(path))
    return TokenTree(tuple(tokens), tuple(parents), tuple(paths))


def on_tree(tree: TokenTree, by_text: Sequence[Sequence[Placed]]) -> tuple[Intervention, ...]:
    """Return the interventions of one condition on the texts of a tree as interventions on its nodes."""
    found: dict[_Place, dict[int, _Vector]] = {}
    for path, steps in zip(tree.texts, by_text, strict=True):
        for i, step in enumerate(steps):
            place = (i, type(step), step.site)
            found.setdefault(place, {}).update((path[token], vector) for token, vector in _acting(step, len(path)))
    return tuple(_step(kind, site, vectors, len(tree.tokens)) for (_, kind, site), vectors in found.items())


def _step(kind: type[Placed], site: int, vectors: dict[int, _Vector], n: int) -> Placed:
    """Return a step on some of `n` nodes; one on all of them has no positions."""
    values = [vector.values for vector in vectors.values()]
    if len(vectors) == n and len({vector.digest for vector in vectors.values()}) == 1:
        return kind(site, values[0], None)
    return kind(site, torch.stack(values), tuple(node - n for node in vectors))


def _marks(n: int, by_condition: Sequence[Sequence[Placed]]) -> list[Hashable]:
    """Return for each token of a text what acts on it under all conditions."""
    marks: list[list[Hashable]] = [[] for _ in range(n)]
    for condition, steps in enumerate(by_condition):
        for i, step in enumerate(steps):
            for token, vector in _acting(step, n):
                marks[token].append((condition, i, type(step), step.site, vector.digest))
    return [tuple(each) for each in marks]


def _acting(step: Placed, n: int) -> list[tuple[int, _Vector]]:
    """Return the tokens of a text of `n` that a step acts on, with the vector of each."""
    rows = [_Vector.of(row) for row in step.vectors.reshape(-1, step.vectors.shape[-1])]
    where = range(n) if step.positions is None else [n + position for position in step.positions]
    if any(token < 0 for token in where) or len(set(where)) < len(where):
        raise ValueError(f"positions {step.positions} lie before a text of {n} tokens, or stand there twice")
    return list(zip(where, rows if len(rows) == len(where) else rows * len(where), strict=True))
