import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from graftbench.benchmark.models.kv_cache import ROOM, RoomyLayer, new_cache


def steps(n, rows=3):
    torch.manual_seed(0)
    lengths = [5 if i == 0 else 1 for i in range(n)]
    return [(torch.randn(rows, 2, length, 4), torch.randn(rows, 2, length, 4)) for length in lengths]


def test_it_holds_what_transformers_own_cache_holds():
    ours, theirs = RoomyLayer(), DynamicCache()
    for keys, values in steps(3 * ROOM):
        found = ours.update(keys, values)
        for one, other in zip(found, theirs.update(keys, values, 0), strict=True):
            assert torch.equal(one, other)
    assert ours.get_seq_length() == theirs.get_seq_length() == 3 * ROOM + 4


def test_rows_that_stay_keep_what_was_theirs():
    ours, theirs = RoomyLayer(), DynamicCache()
    for i, (keys, values) in enumerate(steps(10)):
        if i == 4:
            for cache in (ours, theirs):
                cache.batch_select_indices(torch.tensor([0, 2]))
        rows = slice(None) if i < 4 else [0, 2]
        found, wanted = ours.update(keys[rows], values[rows]), theirs.update(keys[rows], values[rows], 0)
        assert torch.equal(found[0], wanted[0])
        assert torch.equal(found[1], wanted[1])


def test_what_was_handed_out_is_not_written_to_again():
    layer = RoomyLayer()
    first, *rest = steps(ROOM)
    kept = layer.update(*first)[0].clone()
    held = layer.keys
    for step in rest:
        layer.update(*step)
    assert torch.equal(held, kept)


def test_layers_with_a_window_stay_transformers_own(model):
    kinds = {type(layer).__name__ for layer in new_cache(model).layers}
    assert kinds <= {"RoomyLayer", "DynamicSlidingWindowLayer"}
    assert all(type(layer) is not DynamicLayer for layer in new_cache(model).layers)
    if type(model.module).__name__.startswith("Gemma"):
        assert "DynamicSlidingWindowLayer" in kinds
