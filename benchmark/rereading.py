"""A model that reads texts while they grow: of each text it reads again only what changed at its end."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import DynamicCache

from .activations import residuals
from .caches import new_cache, window_of
from .models import Model
from .tokens import Ids, pad

_MOST_SLOTS = 2  # of a cache, for each token of the longest row: beyond that, everything is read anew


@dataclass(frozen=True)
class _Read:
    """What was read: token ids of each row, and in which slots of the cache their keys and values lie.

    Slots of tokens that are not in the text any more stay, and are masked.
    """

    rows: list[list[int]]
    slots: list[list[int]]
    mask: Tensor  # [rows, slots]
    cache: DynamicCache


class Reader:
    """Reads rows of token ids with a model, up to the inputs of some of its blocks."""

    def __init__(self, model: Model, sites: Sequence[int]) -> None:
        self._model, self._sites = model, sorted(set(sites))
        self._read = _Read([], [], torch.empty(0), new_cache(model))

    @property
    def rows(self) -> list[list[int]]:
        """The token ids of each row, as they were read last."""
        return self._read.rows

    def read(self, rows: Sequence[Ids]) -> dict[int, Tensor]:
        """The states [rows, tokens, d] at each site of rows that are new, padded on the left."""
        inputs = pad(rows, self._model)
        mask, cache = inputs["attention_mask"], new_cache(self._model)
        n = mask.shape[1]
        self._read = _Read([list(row) for row in rows], [list(range(n - len(row), n)) for row in rows], mask, cache)
        return residuals(self._model, inputs, self._sites, cache)

    def newest(self, rows: Sequence[Ids]) -> dict[int, Tensor]:
        """The states [rows, d] at each site at the last token of each row, as it has become since it was read."""
        common = [_in_common(before, row) for before, row in zip(self._read.rows, rows, strict=True)]
        n_new = max(1, *(len(row) - same for row, same in zip(rows, common, strict=True)))
        hidden = self._read_on(rows, n_new) if self._can_go_on(rows, n_new) else self.read(rows)
        return {site: states[:, -1] for site, states in hidden.items()}

    def keep(self, kept: Sequence[int]) -> None:
        """Go on with these rows alone."""
        read = self._read
        index = torch.tensor(kept, dtype=torch.long, device=read.mask.device)  # of none, when all have ended
        read.cache.batch_select_indices(index)
        rows, slots = ([each[i] for i in kept] for each in (read.rows, read.slots))
        self._read = _Read(rows, slots, read.mask[index], read.cache)

    def _can_go_on(self, rows: Sequence[Ids], n_new: int) -> bool:
        """Whether every row keeps a token that was read, and nothing that it keeps is out of reach."""
        n_slots = self._read.mask.shape[1] + n_new
        if min(map(len, rows)) <= n_new or n_slots > _MOST_SLOTS * max(map(len, rows)):
            return False
        # A window is counted in slots, so those that are masked would push tokens out of it.
        return n_slots <= window_of(self._read.cache) or self._only_grew(rows, n_new)

    def _only_grew(self, rows: Sequence[Ids], n_new: int) -> bool:
        """Whether every row has become so many tokens longer, and no slot between its tokens is masked."""
        held = [self._read.mask.shape[1] - where[0] for where in self._read.slots]
        before = [len(row) for row in self._read.rows]
        return held == before == [len(row) - n_new for row in rows]

    def _read_on(self, rows: Sequence[Ids], n_new: int) -> dict[int, Tensor]:
        """The states [rows, n_new, d] at each site at the last tokens of each row; some may be read once more."""
        read, device = self._read, self._model.device
        n_slots = read.mask.shape[1]
        mask = torch.cat([read.mask, read.mask.new_ones(len(rows), n_new)], dim=1)
        slots = []
        for i, (row, where) in enumerate(zip(rows, read.slots, strict=True)):
            kept = len(row) - n_new
            mask[i, where[kept:]] = 0
            slots.append([*where[:kept], *range(n_slots, n_slots + n_new)])
        self._read = _Read([list(row) for row in rows], slots, mask, read.cache)
        inputs = {
            "input_ids": torch.tensor([row[-n_new:] for row in rows], device=device),
            "attention_mask": mask,
            "position_ids": torch.tensor([range(len(row) - n_new, len(row)) for row in rows], device=device),
        }
        return residuals(self._model, inputs, self._sites, read.cache)


def _in_common(one: Ids, other: Ids) -> int:
    """How many tokens two rows have in common at their beginning."""
    for i, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return i
    return min(len(one), len(other))
