"""Changes of hidden states [rows, tokens, d] by tensors that lie on their device: no pass copies or waits for anything.

A change leaves rows that it has nothing for as they are, bit by bit. Its shapes stay the same from one generated token
to the next, until rows leave.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

Change = Callable[[Tensor], Tensor]  # hidden states [rows, tokens, d] to new ones


class LastingChange(Protocol):
    """A change that also acts on generated tokens, while rows leave."""

    def __call__(self, hidden: Tensor) -> Tensor:
        """Return the states [rows, tokens, d], changed."""

    def next_token(self) -> None:
        """Prepare for a pass that reads the next generated token."""

    def kept(self, stay: Sequence[int], index: Tensor) -> "LastingChange":
        """Return the change of the rows `stay` alone, in this order; `index` has the same on their device."""


@dataclass(frozen=True, eq=False)
class Added:
    """A vector for each row, [rows, 1, d], added to all of its tokens."""

    vectors: Tensor

    def __call__(self, hidden: Tensor) -> Tensor:
        """Return the states [rows, tokens, d], changed."""
        return hidden + self.vectors

    def next_token(self) -> None:
        """Go on with the same vectors."""

    def kept(self, stay: Sequence[int], index: Tensor) -> "Added":  # noqa: ARG002
        """Return the change of the rows `stay` alone."""
        return Added(self.vectors.index_select(0, index))


@dataclass(frozen=True, eq=False)
class Replaced:
    """A vector for each row, [rows, 1, d], in place of all tokens of the rows that are `chosen`, [rows, 1, 1]."""

    vectors: Tensor
    chosen: Tensor

    def __call__(self, hidden: Tensor) -> Tensor:
        """Return the states [rows, tokens, d], changed."""
        return torch.where(self.chosen, self.vectors, hidden)

    def next_token(self) -> None:
        """Go on with the same vectors."""

    def kept(self, stay: Sequence[int], index: Tensor) -> "Replaced":  # noqa: ARG002
        """Return the change of the rows `stay` alone."""
        return Replaced(self.vectors.index_select(0, index), self.chosen.index_select(0, index))


@dataclass(frozen=True, eq=False)
class AddedByToken:
    """A vector for each generated token of a row: that at `places` [tokens, rows] among `vectors` [n, d].

    `number` [1] is that of the token which is read, from 0. The last place stands for all later tokens.
    """

    vectors: Tensor
    places: Tensor
    number: Tensor

    def __call__(self, hidden: Tensor) -> Tensor:
        """Return the states [rows, 1, d], changed."""
        return hidden + self.vectors[self.places.index_select(0, self.number)[0]][:, None]

    def next_token(self) -> None:
        """Go on to the vectors of the next token."""
        self.number.add_(1).clamp_(max=len(self.places) - 1)

    def kept(self, stay: Sequence[int], index: Tensor) -> "AddedByToken":  # noqa: ARG002
        """Return the change of the rows `stay` alone."""
        return replace(self, places=self.places.index_select(1, index))


@dataclass(frozen=True, eq=False)
class AtPlaces:
    """Vectors [n, d] that are added, or put in, at rows [n] and at columns [n] counted from the right.

    The rows None stand for every row. `positions` are those of the steps, which are checked.
    """

    adds: bool
    rows: Tensor | None
    columns: Tensor
    vectors: Tensor
    positions: frozenset[tuple[int, ...]]

    def __call__(self, hidden: Tensor) -> Tensor:
        """Return the states [rows, tokens, d], changed. ValueError where a prompt does not have the positions."""
        n_tokens = hidden.shape[1]
        for positions in self.positions:
            if any(not -n_tokens <= position < 0 for position in positions):
                raise ValueError(f"a position among {positions} lies before a prompt of {n_tokens} tokens")
        rows = torch.arange(len(hidden), device=hidden.device)[:, None] if self.rows is None else self.rows
        return hidden.index_put((rows, self.columns), self.vectors, accumulate=self.adds)


@dataclass(frozen=True, eq=False)
class Rewritten:
    """One function applied to the rows at `index` [n], or to every row; `rows` has the same as numbers."""

    by: Change
    rows: Sequence[int] | None
    index: Tensor | None

    @classmethod
    def of(cls, by: Change, rows: Sequence[int], device: torch.device) -> "Rewritten":
        """Return the change of some rows on a device."""
        return cls(by, rows, torch.tensor(rows, dtype=torch.long, device=device))

    def __call__(self, hidden: Tensor) -> Tensor:
        """Return the states [rows, tokens, d], changed; the function is given [n, d] in float32."""
        chosen = hidden if self.index is None else hidden[self.index]
        new = self.by(chosen.flatten(0, 1).float()).to(hidden).reshape(chosen.shape)
        return new if self.index is None else hidden.index_copy(0, self.index, new)

    def next_token(self) -> None:
        """Go on with the same function."""

    def kept(self, stay: Sequence[int], index: Tensor) -> "Rewritten":
        """Return the change of the rows `stay` alone."""
        mine = set(self.rows or ())
        return Rewritten.of(self.by, [new for new, old in enumerate(stay) if old in mine], index.device)
