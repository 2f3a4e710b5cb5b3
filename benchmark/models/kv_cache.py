"""A KV cache with spare capacity, so that decoding a token does not copy the cache.

transformers' own layer copies all keys and values for every new token, which was a third of the time of decoding a
small model; this one copies them when its spare capacity is used up.
"""

from math import inf
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import (
    DummyLayer,
    DynamicLayer,
    DynamicSlidingWindowLayer,
    LinearAttentionCacheLayerMixin,
)

if TYPE_CHECKING:
    from transformers import PreTrainedModel

# With more, on a CPU, rows lie further apart, and attention took longer than the copying that was saved.
SPARE_TOKENS = 4


class PreallocatedLayer(DynamicLayer):
    """A layer of a cache whose keys and values [rows, heads, tokens, d] are the filled part of larger tensors.

    These have room for `spare` more tokens when they are made.
    """

    def __init__(self, spare: int = SPARE_TOKENS) -> None:
        super().__init__()
        self._spare = spare
        self._buffers: tuple[Tensor, Tensor] | None = None

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Append keys and values [rows, heads, new, d]; return those of all tokens, [rows, heads, tokens, d]."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        start = self.get_seq_length()
        end = start + key_states.shape[-2]
        if self._buffers is None or end > self._buffers[0].shape[-2]:
            room = end + self._spare
            held = (self.keys, key_states), (self.values, value_states)
            self._buffers = _enlarged(*held[0], start, room), _enlarged(*held[1], start, room)
        keys, values = self._buffers
        keys[:, :, start:end], values[:, :, start:end] = key_states, value_states
        self.keys, self.values = keys[:, :, :end], values[:, :, :end]
        return self.keys, self.values

    def batch_select_indices(self, indices: Tensor) -> None:
        """Drop all rows but those at `indices` [rows that stay]."""
        super().batch_select_indices(indices)
        self._buffers = None


class FixedLayer(DynamicLayer):
    """A layer of a cache with all its slots, [rows, heads, slots, d], so that no shape changes while tokens come.

    It goes on from a filled layer. Slots that are not filled yet are returned, too: a mask has to hide them.
    """

    def __init__(self, filled: DynamicLayer, n_slots: int) -> None:
        super().__init__()
        assert filled.keys is not None
        assert filled.values is not None
        n = filled.get_seq_length()
        self.dtype, self.device, self.is_initialized = filled.keys.dtype, filled.keys.device, True
        self.keys, self.values = (_with_slots(each, n_slots) for each in (filled.keys, filled.values))
        self._slot = torch.full((1,), n, device=self.device)

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Put keys and values [rows, heads, 1, d] into the next slot; return those of all slots."""
        assert self.keys is not None
        assert self.values is not None
        self.keys.index_copy_(2, self._slot, key_states)
        self.values.index_copy_(2, self._slot, value_states)
        self._slot += 1
        return self.keys, self.values


def cache_for(module: "PreTrainedModel", max_new_tokens: int = SPARE_TOKENS) -> DynamicCache:
    """Return an empty cache for a model; layers with a sliding window or a state stay transformers' own.

    On a GPU there is room for so many new tokens from the beginning.
    """
    spare = SPARE_TOKENS if module.device.type == "cpu" else max_new_tokens
    cache = DynamicCache(config=module.config)
    cache.layers = [PreallocatedLayer(spare) if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache


def can_be_fixed(cache: DynamicCache) -> bool:
    """Return whether all layers of a cache may become fixed ones: none has a sliding window or a state."""
    return all(type(layer) is PreallocatedLayer for layer in cache.layers)


def fix(cache: DynamicCache, n_slots: int) -> None:
    """Give a filled cache so many slots, and shapes that stay as they are."""
    cache.layers = [FixedLayer(layer, n_slots) for layer in cache.layers if isinstance(layer, DynamicLayer)]


def select_rows(cache: DynamicCache, rows: Tensor) -> None:
    """Drop or repeat rows of a cache: afterwards it holds those at `rows` [rows that stay], in this order."""
    for layer in cache.layers:
        if isinstance(layer, LinearAttentionCacheLayerMixin):  # has no other way, and takes any rows
            layer.reorder_cache(rows)  # type: ignore[arg-type]
        else:
            if not isinstance(layer, DynamicLayer | DummyLayer):
                raise TypeError(f"rows of a {type(layer).__name__} cannot be dropped")
            select_in(layer, rows)


def select_in(layer: DynamicLayer | DummyLayer, rows: Tensor) -> None:
    """Drop or repeat rows of a layer of a cache, on the GPU on which they lie: a model may be spread over several."""
    keys = layer.keys
    layer.batch_select_indices(rows if keys is None else rows.to(keys.device))


def smallest_window(cache: DynamicCache) -> float:
    """Return the smallest sliding window among the layers, in tokens; infinite where no layer has one."""
    windows = [layer.sliding_window for layer in cache.layers if isinstance(layer, DynamicSlidingWindowLayer)]
    return min(windows, default=inf)


def _enlarged(filled: Tensor | None, new: Tensor, n_filled: int, room: int) -> Tensor:
    """Return a tensor [rows, heads, room, d] that begins with `filled`, of the kind of `new` [rows, heads, new, d]."""
    rows, heads, _, d = new.shape
    buffer = new.new_empty(rows, heads, room, d)
    if n_filled:
        assert filled is not None
        buffer[:, :, :n_filled] = filled
    return buffer


def _with_slots(filled: Tensor, n_slots: int) -> Tensor:
    """Return a tensor [rows, heads, n_slots, d] that begins with `filled` and ends with zeros: a NaN is not hidden."""
    return torch.nn.functional.pad(filled, (0, 0, 0, n_slots - filled.shape[-2]))
