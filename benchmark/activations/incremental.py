"""A model that reads texts while they grow: of each text it reads again only what changed at its end."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import DynamicCache

from graftbench.benchmark.activations.capture import residuals
from graftbench.benchmark.models.architectures import is_known
from graftbench.benchmark.models.kv_cache import new_cache, window_of
from graftbench.benchmark.models.load import Model
from graftbench.benchmark.models.tokens import pad

_MOST_SLOTS = 1.5  # of a cache, for each token of the longest row: beyond that, everything is read anew


@dataclass(frozen=True, eq=False)
class _Read:
    """What was read: token ids of each row, and in which slots of the cache their keys and values lie.

    Slots of tokens that are not in the text any more stay, and are masked.
    """

    rows: list[list[int]]
    slots: list[list[int]]
    mask: Tensor  # [rows, slots]
    cache: DynamicCache

    def only_grew(self, rows: Sequence[list[int]], n_new: int) -> bool:
        """Whether every row has become so many tokens longer, and no slot between its tokens is masked."""
        held = [self.mask.shape[1] - where[0] for where in self.slots]
        before = [len(row) for row in self.rows]
        return held == before == [len(row) - n_new for row in rows]


class Reader:
    """Reads rows of token ids with a model, up to the inputs of some of its blocks."""

    def __init__(self, model: Model, sites: Sequence[int]) -> None:
        self._model, self._sites = model, sorted(set(sites))
        self._read: _Read | None = None

    @property
    def rows(self) -> list[list[int]]:
        """The token ids of each row, as they were read last."""
        return self._so_far().rows

    def read(self, rows: Sequence[list[int]], *, once: bool = False) -> dict[int, Tensor]:
        """The states [rows, tokens, d] at each site of rows that are new, padded on the left; `once` keeps nothing."""
        inputs = pad(rows, self._model)
        if once:
            return residuals(self._model, inputs, self._sites)
        mask = inputs["attention_mask"]
        n = mask.shape[1]
        slots = [list(range(n - len(row), n)) for row in rows]
        self._read = _Read(list(rows), slots, mask, new_cache(self._model))
        return residuals(self._model, inputs, self._sites, self._read.cache)

    def newest(self, rows: Sequence[list[int]]) -> dict[int, Tensor]:
        """The states [rows, d] at each site at the last token of each row, as it has become since it was read."""
        common = [_in_common(before, row) for before, row in zip(self.rows, rows, strict=True)]
        n_new = max(1, *(len(row) - same for row, same in zip(rows, common, strict=True)))
        hidden = self._read_on(rows, n_new) if self._can_go_on(rows, n_new) else self.read(rows)
        return {site: states[:, -1] for site, states in hidden.items()}

    def keep(self, kept: Sequence[int]) -> None:
        """Go on with these rows alone, where anything was kept."""
        if self._read is None:
            return
        read = self._read
        index = torch.tensor(kept, dtype=torch.long, device=read.mask.device)  # of none, when all have ended
        read.cache.batch_select_indices(index)
        rows, slots = ([each[i] for i in kept] for each in (read.rows, read.slots))
        self._read = _Read(rows, slots, read.mask[index], read.cache)

    def _so_far(self) -> _Read:
        assert self._read is not None
        return self._read

    def _can_go_on(self, rows: Sequence[list[int]], n_new: int) -> bool:
        """Whether every row keeps a token that was read, and what it keeps is within reach and can be told apart."""
        read = self._so_far()
        n_slots = read.mask.shape[1] + n_new
        if min(map(len, rows)) <= n_new or n_slots > _MOST_SLOTS * max(map(len, rows)):
            return False
        # Masked slots would push tokens out of a window. Other architectures may count slots in their own ways, or
        # keep a state that forgets nothing.
        masked = is_known(self._model.module) and n_slots <= window_of(read.cache)
        return masked or read.only_grew(rows, n_new)

    def _read_on(self, rows: Sequence[list[int]], n_new: int) -> dict[int, Tensor]:
        """The states [rows, n_new, d] at each site at the last tokens of each row; some may be read once more."""
        read, device = self._so_far(), self._model.device
        n_slots = read.mask.shape[1]
        kept = [len(row) - n_new for row in rows]
        gone = [(i, slot) for i, where in enumerate(read.slots) for slot in where[kept[i] :]]
        mask = torch.cat([read.mask, read.mask.new_ones(len(rows), n_new)], dim=1)
        if gone:
            mask[tuple(torch.tensor(gone, device=mask.device).T)] = 0
        new = range(n_slots, n_slots + n_new)
        slots = [[*where[:n], *new] for where, n in zip(read.slots, kept, strict=True)]
        self._read = _Read(list(rows), slots, mask, read.cache)
        inputs = {
            "input_ids": torch.tensor([row[-n_new:] for row in rows], device=device),
            "attention_mask": mask,
            "position_ids": torch.tensor([range(n, n + n_new) for n in kept], device=device),
        }
        return residuals(self._model, inputs, self._sites, read.cache)


def _in_common(one: list[int], other: list[int]) -> int:
    """How many tokens two rows have in common at their beginning."""
    if other[: len(one)] == one:  # far quicker than to look at each
        return len(one)
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(other))
