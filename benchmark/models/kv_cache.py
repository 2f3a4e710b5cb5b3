"""Keys and values of what was read, with room for what is to be said.

transformers' own layer copies all that it holds for every new token, which was a third of the time of decoding a
small model; this one copies it when its room is used up.
"""

from math import inf
from typing import Any

from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

from graftbench.benchmark.models.load import Model

ROOM = 4  # tokens: with more, rows lie further apart, and attention took longer than the copying that was saved


class RoomyLayer(DynamicLayer):
    """A layer of a cache whose tensors [rows, heads, tokens, d] are the filled part of larger ones."""

    def __init__(self) -> None:
        super().__init__()
        self._room: tuple[Tensor, Tensor] | None = None

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Take in the keys and values of more tokens [rows, heads, new, d]; those of all tokens come back."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        start = self.get_seq_length()
        end = start + key_states.shape[-2]
        if self._room is None or end > self._room[0].shape[-2]:
            self._room = _roomy(self.keys, key_states, start), _roomy(self.values, value_states, start)
        keys, values = self._room
        keys[:, :, start:end], values[:, :, start:end] = key_states, value_states
        self.keys, self.values = keys[:, :, :end], values[:, :, :end]
        return self.keys, self.values

    def batch_select_indices(self, indices: Tensor) -> None:
        """Go on with these rows alone."""
        super().batch_select_indices(indices)
        self._room = None


def new_cache(model: Model) -> DynamicCache:
    """An empty cache for a model; layers with a window of their own stay transformers' own."""
    cache = DynamicCache(config=model.module.config)
    cache.layers = [RoomyLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache


def window_of(cache: DynamicCache) -> float:
    """How many of the newest tokens every layer of a cache still sees; infinite where none has a window."""
    windows = [layer.sliding_window for layer in cache.layers if isinstance(layer, DynamicSlidingWindowLayer)]
    return min(windows, default=inf)


def _roomy(held: Tensor | None, new: Tensor, n_held: int) -> Tensor:
    rows, heads, n_new, d = new.shape
    room = new.new_empty(rows, heads, n_held + n_new + ROOM, d)
    if n_held:
        assert held is not None
        room[:, :, :n_held] = held
    return room
