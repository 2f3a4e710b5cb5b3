import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from graftbench.benchmark.models.kv_cache import SPARE_TOKENS, FixedLayer, PreallocatedLayer, cache_for


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


def test_with_room_for_all_tokens_nothing_is_copied():
    layer = PreallocatedLayer(spare=9)
    places = {layer.update(*step)[0].data_ptr() for step in steps(10)}
    assert len(places) == 1


def test_a_fixed_layer_goes_on_where_a_filled_one_ended_and_keeps_its_shape():
    filled, whole = PreallocatedLayer(), PreallocatedLayer()
    first, *rest = steps(6)
    filled.update(*first)
    whole.update(*first)
    fixed = FixedLayer(filled, n_slots=12)
    for keys, values in rest:
        held, wanted = fixed.update(keys, values), whole.update(keys, values)
        for one, other in zip(held, wanted, strict=True):
            n = other.shape[2]
            assert one.shape == (3, 2, 12, 4)
            assert torch.equal(one[:, :, :n], other)
            assert not one[:, :, n:].any()
    fixed.batch_select_indices(torch.tensor([0, 2]))
    assert torch.equal(fixed.keys[:, :, :10], whole.keys[[0, 2]])
