"""Activations of texts while they grow: only tokens that changed since the last call are read, from a KV cache."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import DynamicCache

from graftbench.benchmark.activations.capture import residuals
from graftbench.benchmark.models.architectures import may_skip_reading
from graftbench.benchmark.models.kv_cache import cache_for, select_rows, smallest_window
from graftbench.benchmark.models.load import Model
from graftbench.benchmark.models.tokens import pad

_MAX_SLOTS = 1.5  # slots of a cache for each token of the longest row, beyond which everything is read anew


@dataclass(frozen=True, eq=False)
class _CachedRows:
    """The token ids of each row, and the slots of the KV cache that hold their keys and values.

    Slots of tokens that have left the text stay in the cache, masked.
    """

    rows: list[list[int]]
    slots: list[list[int]]
    mask: Tensor  # [rows, slots], 0 for padding and removed tokens
    cache: DynamicCache

    def only_grew(self, rows: Sequence[list[int]], n_new: int) -> bool:
        """Return True where every row is `n_new` tokens longer and no slot between its tokens is masked."""
        n_slots = [self.mask.shape[1] - slots[0] for slots in self.slots]
        before = [len(row) for row in self.rows]
        return n_slots == before == [len(row) - n_new for row in rows]


class IncrementalReader:
    """Activations of a model at some sites, for rows of token ids that change at their ends."""

    def __init__(self, model: Model, sites: Sequence[int]) -> None:
        self._model, self._sites = model, sorted(set(sites))
        self._cached: _CachedRows | None = None

    @property
    def rows(self) -> list[list[int]]:
        """Token ids of each row, as they were read last."""
        return self._last_read().rows

    def read(self, rows: Sequence[list[int]], *, once: bool = False) -> dict[int, Tensor]:
        """Read new rows; return activations [rows, tokens, d] by site, padded on the left. `once` caches nothing."""
        inputs = pad(rows, self._model)
        if once:
            return residuals(self._model, inputs, self._sites)
        mask = inputs["attention_mask"]
        n = mask.shape[1]
        slots = [list(range(n - len(row), n)) for row in rows]
        self._cached = _CachedRows(list(rows), slots, mask, cache_for(self._model.module))
        return residuals(self._model, inputs, self._sites, self._cached.cache)

    def last_states(self, rows: Sequence[list[int]]) -> dict[int, Tensor]:
        """Return the activations [rows, d] at each site, at the last token of every row.

        Only tokens that changed since the last call are read.
        """
        common = [_common_prefix(before, row) for before, row in zip(self.rows, rows, strict=True)]
        n_new = max(1, *(len(row) - same for row, same in zip(rows, common, strict=True)))
        hidden = self._extend(rows, n_new) if self._can_extend(rows, n_new) else self.read(rows)
        return {site: states[:, -1] for site, states in hidden.items()}

    def keep(self, indices: Sequence[int]) -> None:
        """Drop all rows but those at these indices; nothing is done where nothing is cached."""
        if self._cached is None:
            return
        last = self._cached
        index = torch.tensor(indices, dtype=torch.long, device=last.mask.device)  # empty when all rows have ended
        select_rows(last.cache, index)
        rows, slots = ([each[i] for i in indices] for each in (last.rows, last.slots))
        self._cached = _CachedRows(rows, slots, last.mask[index], last.cache)

    def _last_read(self) -> _CachedRows:
        assert self._cached is not None
        return self._cached

    def _can_extend(self, rows: Sequence[list[int]], n_new: int) -> bool:
        """Return True where the cache holds a token of every row, and attention can see all tokens that stay."""
        last = self._last_read()
        n_slots = last.mask.shape[1] + n_new
        if min(map(len, rows)) <= n_new or n_slots > _MAX_SLOTS * max(map(len, rows)):
            return False
        # Masked slots would push tokens out of a window. Other architectures may count slots in their own ways, or
        # have a recurrent state, from which tokens cannot be removed.
        may_mask = may_skip_reading(self._model.module) and n_slots <= smallest_window(last.cache)
        return may_mask or last.only_grew(rows, n_new)

    def _extend(self, rows: Sequence[list[int]], n_new: int) -> dict[int, Tensor]:
        """Return the activations [rows, n_new, d] at each site, at the last `n_new` tokens of every row."""
        last, device = self._last_read(), self._model.device
        n_slots = last.mask.shape[1]
        n_cached = [len(row) - n_new for row in rows]
        removed = [(i, slot) for i, slots in enumerate(last.slots) for slot in slots[n_cached[i] :]]
        mask = torch.cat([last.mask, last.mask.new_ones(len(rows), n_new)], dim=1)
        if removed:
            mask[tuple(torch.tensor(removed, device=mask.device).T)] = 0
        new = range(n_slots, n_slots + n_new)
        slots = [[*before[:n], *new] for before, n in zip(last.slots, n_cached, strict=True)]
        self._cached = _CachedRows(list(rows), slots, mask, last.cache)
        inputs = {
            "input_ids": torch.tensor([row[-n_new:] for row in rows], device=device),
            "attention_mask": mask,
            "position_ids": torch.tensor([range(n, n + n_new) for n in n_cached], device=device),
        }
        return residuals(self._model, inputs, self._sites, last.cache)


def _common_prefix(one: list[int], other: list[int]) -> int:
    """Return the length of the common prefix of two rows of token ids."""
    if other[: len(one)] == one:  # far faster than a loop over tokens
        return len(one)
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(other))
