from dataclasses import replace

import psutil
import pytest
import torch
from torch import nn

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.models import pool as pool_file
from graftbench.benchmark.models.load import Model, files_of, load
from graftbench.benchmark.models.pool import SHARE, ModelPool, PooledModel, grant_of, pooled_model, pooled_twin
from graftbench.benchmark.models.twin import twin_of

KNOWN = ("name", "identity", "dtype", "d", "n_blocks", "context")
SHIPPED = ("llama-s-hate", "qwen2-s-instruct", "gemma2-s-hate", "llama-m-instruct")


def of_size(name, pool, n_bytes, loads=None):
    """A handle of a model of so many bytes, whose loads are counted in a list."""

    def load():
        if loads is not None:
            loads.append(name)
        return Model(name, nn.Linear(n_bytes // 4, 1, bias=False), None, None, name)

    facts = (None, torch.device("cpu"), torch.float32, 1, 1, 1.0)
    return PooledModel(name, name, *facts, pool, lambda: n_bytes, load)


def use(*handles):
    for handle in handles:
        with handle.loaded():
            pass


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_handle_knows_without_weights_what_the_loaded_model_is(name, dtype, monkeypatch):
    model = load(name, dtype=dtype, device="cpu")
    monkeypatch.setattr(pool_file, "read", None)
    handle = pooled_model(files_of(name, dtype=dtype, device="cpu"), ModelPool(0))
    assert {each: getattr(handle, each) for each in KNOWN} == {each: getattr(model, each) for each in KNOWN}
    assert handle.device == model.device
    assert handle.tokenizer.backend_tokenizer.to_str() == model.tokenizer.backend_tokenizer.to_str()
    assert handle.n_bytes() == model.n_bytes


def test_named_blocks_are_counted_without_weights():
    named = {"blocks": "model.layers", "writers": ["self_attn", "mlp"]}
    handle = pooled_model(files_of("llama-s-hate", device="cpu", **named), ModelPool(0))
    model = load("llama-s-hate", device="cpu", **named)
    assert (handle.n_blocks, handle.identity) == (model.n_blocks, model.identity) == (4, model.identity)
    with pytest.raises(UserError, match="has no list of blocks at 'model.blocks'"):
        pooled_model(files_of("llama-s-hate", device="cpu", blocks="model.blocks"), ModelPool(0))


def test_the_handle_of_a_twin_makes_it_of_the_original():
    original = pooled_model(files_of("llama-s-hate", device="cpu"), ModelPool(0))
    handle = pooled_twin(original, 3, lambda _: None)
    expected = twin_of(load("llama-s-hate", device="cpu"), 3)
    assert {each: getattr(handle, each) for each in KNOWN} == {each: getattr(expected, each) for each in KNOWN}
    with handle.loaded() as twin:
        weights, same = twin.module.state_dict(), expected.module.state_dict()
        assert all(torch.equal(weights[name], same[name]) for name in same)


def test_a_loaded_model_is_its_own_handle(llama):
    with llama.loaded() as model, model.loaded() as again:
        assert again is model is llama
    assert llama.n_blocks == len(llama.blocks)


def test_models_stay_as_far_as_the_grant_goes_and_the_least_recently_used_leaves_first():
    pool, loads = ModelPool(800), []
    a, b, c = (of_size(name, pool, 400, loads) for name in "abc")
    use(a, b, a)
    assert loads == ["a", "b"]
    use(c)  # b leaves
    use(a, c)
    assert loads == ["a", "b", "c"]
    use(b)  # a leaves
    use(c)
    assert loads == ["a", "b", "c", "b"]


def test_with_nothing_granted_one_model_leaves_before_the_next_is_loaded():
    pool, loads = ModelPool(0), []
    a, b = (of_size(name, pool, 400, loads) for name in "ab")
    use(a, a, b, b, a)
    assert loads == ["a", "b", "a"]
    there = []
    use(replace(b, load=lambda: there.append(len(pool._models)) or b.load()))
    assert there == [0]


def test_a_model_in_use_stays_whatever_is_granted():
    pool, loads = ModelPool(0), []
    a, b = (of_size(name, pool, 400, loads) for name in "ab")
    with a.loaded() as model:
        use(b)
        with b.loaded(), a.loaded() as again:
            assert again is model
        use(b)
        with a.loaded() as still:
            assert still is model
    assert loads == ["a", "b"]


def test_hooks_stay_on_a_model_in_use_and_are_not_on_one_that_is_loaded_anew():
    pool = ModelPool(0)
    a, b, c = (of_size(name, pool, 400) for name in "abc")
    with a.loaded() as model:
        model.module.register_forward_pre_hook(lambda *_: None)
        use(b)
        with a.loaded() as again:
            assert again.module._forward_pre_hooks
    use(c)
    with a.loaded() as anew:
        assert not anew.module._forward_pre_hooks


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, UserError])
def test_a_load_that_is_broken_off_leaves_nothing(error):
    pool, loads = ModelPool(0), []
    a = of_size("a", pool, 400, loads)
    broken = [error("no")]
    b = replace(a, load=lambda: a.load() if not broken else (_ for _ in ()).throw(broken.pop()))
    with pytest.raises(error), b.loaded():
        pytest.fail("it was not loaded")
    assert not pool._models
    assert not +pool._users
    use(b, b)
    assert loads == ["a"]


def test_half_of_the_free_memory_is_granted_to_all_workers_together(monkeypatch):
    monkeypatch.setattr(psutil, "virtual_memory", lambda: type("Memory", (), {"available": 12_000}))
    assert [grant_of(torch.device("cpu"), n) for n in (1, 2, 3)] == [6000, 3000, 2000]
    assert SHARE == 0.5
