import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from graftbench.benchmark.models.kv_cache import SPARE_TOKENS, PreallocatedLayer, cache_for


def steps(n, rows=3):
    torch.manual_seed(0)
    lengths = [5 if i == 0 else 1 for i in range(n)]
    return [(torch.randn(rows, 2, length, 4), torch.randn(rows, 2, length, 4)) for length in lengths]


def test_it_holds_the_same_keys_and_values_as_transformers_cache():
    ours, theirs = PreallocatedLayer(), DynamicCache()
    for keys, values in steps(3 * SPARE_TOKENS):
        held = ours.update(keys, values)
        for one, other in zip(held, theirs.update(keys, values, 0), strict=True):
            assert torch.equal(one, other)
    assert ours.get_seq_length() == theirs.get_seq_length() == 3 * SPARE_TOKENS + 4


def test_rows_that_stay_keep_their_keys_and_values():
    ours, theirs = PreallocatedLayer(), DynamicCache()
    for i, (keys, values) in enumerate(steps(10)):
        if i == 4:
            for cache in (ours, theirs):
                cache.batch_select_indices(torch.tensor([0, 2]))
        rows = slice(None) if i < 4 else [0, 2]
        held, wanted = ours.update(keys[rows], values[rows]), theirs.update(keys[rows], values[rows], 0)
        assert torch.equal(held[0], wanted[0])
        assert torch.equal(held[1], wanted[1])


def test_returned_keys_are_not_overwritten():
    layer = PreallocatedLayer()
    first, *rest = steps(SPARE_TOKENS)
    copy = layer.update(*first)[0].clone()
    keys = layer.keys
    for step in rest:
        layer.update(*step)
    assert torch.equal(keys, copy)


def test_layers_with_a_window_stay_transformers_own(model):
    kinds = {type(layer).__name__ for layer in cache_for(model.module).layers}
    assert kinds <= {"PreallocatedLayer", "DynamicSlidingWindowLayer"}
    assert all(type(layer) is not DynamicLayer for layer in cache_for(model.module).layers)
    if type(model.module).__name__.startswith("Gemma"):
        assert "DynamicSlidingWindowLayer" in kinds
