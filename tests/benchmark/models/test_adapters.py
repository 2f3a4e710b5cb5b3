import json
import re
import shutil

import pytest
import torch
from peft import LoraConfig, PeftModel, PromptTuningConfig, get_peft_model
from safetensors.torch import load_file, save_file

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.models import load as reading
from graftbench.benchmark.models.load import files_of, load
from graftbench.benchmark.models.pool import ModelPool, pooled_model
from tests.benchmark.conftest import byte_pairs, untrained


@pytest.fixture
def base(tmp_path):
    folder = tmp_path / "base"
    untrained("llama").save_pretrained(folder)
    byte_pairs(320).save_pretrained(folder)
    return folder


@pytest.fixture
def adapter(base, tmp_path):
    folder = tmp_path / "adapter"
    adapted(base, LoraConfig(r=2, lora_alpha=8, target_modules=["q_proj", "down_proj"])).save_pretrained(folder)
    return folder


def adapted(base, settings):
    module = load(str(base), device="cpu").module
    made = get_peft_model(module, settings)
    made.peft_config["default"].base_model_name_or_path = str(base)
    torch.manual_seed(1)
    for name, parameter in made.named_parameters():
        if "lora" in name:
            parameter.data = torch.randn_like(parameter)
    return made


def settings_of(adapter, **changes):
    file = adapter / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


IDS = torch.arange(5, 15)[None]


def test_an_adapter_is_its_base_with_the_adapter_merged(base, adapter):
    plain, model = load(str(base), device="cpu"), load(str(adapter), device="cpu")
    assert len(model.blocks) == 3
    assert model.tokenizer.backend_tokenizer.to_str() == plain.tokenizer.backend_tokenizer.to_str()
    with torch.inference_mode():
        logits = model.module(IDS).logits
        assert not torch.allclose(logits, plain.module(IDS).logits, atol=0.1)
        unmerged = PeftModel.from_pretrained(plain.module, adapter).eval()
        assert torch.allclose(logits, unmerged(IDS).logits, atol=1e-4)


def test_the_handle_of_an_adapter_knows_what_the_merged_model_is(adapter):
    model, handle = load(str(adapter), device="cpu"), pooled_model(files_of(str(adapter), device="cpu"), ModelPool(0))
    assert (handle.identity, handle.d, handle.n_blocks) == (model.identity, model.d, model.n_blocks)
    assert handle.n_bytes() == model.n_bytes
    with handle.loaded() as loaded:
        assert torch.equal(loaded.module(IDS).logits, model.module(IDS).logits)


def test_an_adapter_of_a_model_that_several_gpus_hold_is_refused(adapter, monkeypatch):
    monkeypatch.setattr(reading, "free_by_gpu", lambda _: [1, 2**40])
    with pytest.raises(UserError, match="is an adapter of a model that one GPU does not hold: merge it into a folder"):
        load(str(adapter), device="cpu")


def test_its_identity_is_of_both_and_of_its_settings(base, adapter, tmp_path):
    identities = {load(str(folder), device="cpu").identity for folder in (base, adapter)}
    settings_of(adapter, lora_alpha=0.001)
    identities.add(load(str(adapter), device="cpu").identity)
    untrained("llama", initializer_range=0.2).save_pretrained(base)
    identities.add(load(str(adapter), device="cpu").identity)
    assert len(identities) == 4


def fails(adapter, message):
    with pytest.raises(UserError, match=message):
        load(str(adapter), device="cpu")


def test_an_adapter_that_does_not_fit_its_base_is_refused(base, adapter):
    file = adapter / "adapter_model.safetensors"
    weights = load_file(file)
    save_file({name: w for name, w in weights.items() if "layers.0.self_attn" not in name}, file)
    fails(adapter, "does not fit its base.*layers.0.self_attn.q_proj.lora")
    save_file({name.replace("layers.2", "layers.7"): w for name, w in weights.items()}, file)
    fails(adapter, "does not fit its base.*layers.2.*and 5 more")
    save_file({name: w[:, :1].contiguous() for name, w in weights.items()}, file)
    fails(adapter, "cannot be merged into")


def test_an_adapter_of_another_kind_is_refused(base, adapter):
    made = adapted(base, PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=2))
    made.save_pretrained(adapter)
    fails(adapter, "cannot be merged into")


def test_what_is_missing_is_named(base, adapter):
    settings_of(adapter, base_model_name_or_path="owner")
    fails(adapter, "The base model of the adapter in .*: There is no zoo model 'owner'")
    settings_of(adapter, base_model_name_or_path=None)
    fails(adapter, "names no base model")
    settings_of(adapter, base_model_name_or_path=str(base))
    (adapter / "model.safetensors").write_bytes((base / "model.safetensors").read_bytes())
    fails(adapter, "both a model and an adapter")
    (adapter / "model.safetensors").unlink()
    (adapter / "adapter_model.safetensors").unlink()
    fails(adapter, re.escape("has no adapter_model.safetensors"))
    (adapter / "adapter_config.json").write_text("{")
    fails(adapter, "is no configuration of an adapter")


@pytest.mark.parametrize("part", ["embed_tokens", "lm_head"])
def test_an_adapter_of_tied_embeddings_changes_the_one_and_not_the_other(tmp_path, part):
    base, folder = tmp_path / "base", tmp_path / "adapter"
    untrained("llama", tie_word_embeddings=True).save_pretrained(base)
    byte_pairs(320).save_pretrained(base)
    adapted(base, LoraConfig(r=2, lora_alpha=8, target_modules=[part])).save_pretrained(
        folder, save_embedding_layers=False
    )
    model = load(str(folder), device="cpu")
    with torch.inference_mode():
        unmerged = PeftModel.from_pretrained(load(str(base), device="cpu").module, folder).eval()
        assert torch.allclose(model.module(IDS).logits, unmerged(IDS).logits, atol=1e-3)


def test_an_adapter_of_an_adapter_is_refused(base, adapter, tmp_path):
    second = tmp_path / "second"
    shutil.copytree(adapter, second)
    settings_of(second, base_model_name_or_path=str(adapter))
    fails(second, "is itself one, .*merge that into its own base first")
