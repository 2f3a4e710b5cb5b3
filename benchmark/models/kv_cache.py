"""A KV cache with spare capacity, so that decoding a token does not copy the cache.

transformers' own layer copies all keys and values for every new token, which was a third of the time of decoding a
small model; this one copies them when its spare capacity is used up.
"""

from math import inf
from typing import TYPE_CHECKING, Any

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

SPARE_TOKENS = 4  # with more, rows lie further apart, and attention took longer than the copying that was saved


class PreallocatedLayer(DynamicLayer):
    """A layer of a cache whose keys and values [rows, heads, tokens, d] are the filled part of larger tensors."""

    def __init__(self) -> None:
        super().__init__()
        self._buffers: tuple[Tensor, Tensor] | None = None

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Append keys and values [rows, heads, new, d]; return those of all tokens, [rows, heads, tokens, d]."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        start = self.get_seq_length()
        end = start + key_states.shape[-2]
        if self._buffers is None or end > self._buffers[0].shape[-2]:
            self._buffers = _enlarged(self.keys, key_states, start), _enlarged(self.values, value_states, start)
        keys, values = self._buffers
        keys[:, :, start:end], values[:, :, start:end] = key_states, value_states
        self.keys, self.values = keys[:, :, :end], values[:, :, :end]
        return self.keys, self.values

    def batch_select_indices(self, indices: Tensor) -> None:
        """Drop all rows but those at `indices` [rows that stay]."""
        super().batch_select_indices(indices)
        self._buffers = None


def cache_for(module: "PreTrainedModel") -> DynamicCache:
    """Return an empty cache for a model; layers with a sliding window or a state stay transformers' own."""
    cache = DynamicCache(config=module.config)
    cache.layers = [PreallocatedLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache


def select_rows(cache: DynamicCache, rows: Tensor) -> None:
    """Drop or repeat rows of a cache: afterwards it holds those at `rows` [rows that stay], in this order."""
    for layer in cache.layers:
        if isinstance(layer, LinearAttentionCacheLayerMixin):  # has no other way, and takes any rows
            layer.reorder_cache(rows)  # type: ignore[arg-type]
        else:
            if not isinstance(layer, DynamicLayer | DummyLayer):
                raise TypeError(f"rows of a {type(layer).__name__} cannot be dropped")
            layer.batch_select_indices(rows)


def smallest_window(cache: DynamicCache) -> float:
    """Return the smallest sliding window among the layers, in tokens; infinite where no layer has one."""
    windows = [layer.sliding_window for layer in cache.layers if isinstance(layer, DynamicSlidingWindowLayer)]
    return min(windows, default=inf)


def _enlarged(filled: Tensor | None, new: Tensor, n_filled: int) -> Tensor:
    """Return a tensor [rows, heads, n_filled + n_new + SPARE_TOKENS, d] that begins with `filled`."""
    rows, heads, n_new, d = new.shape
    buffer = new.new_empty(rows, heads, n_filled + n_new + SPARE_TOKENS, d)
    if n_filled:
        assert filled is not None
        buffer[:, :, :n_filled] = filled
    return buffer
