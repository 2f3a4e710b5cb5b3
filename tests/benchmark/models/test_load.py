import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BloomConfig, BloomForCausalLM

from graftbench.benchmark.capability.deployment import Deployment
from graftbench.benchmark.capability.lm_eval_model import IntervenedLM
from graftbench.benchmark.core import hashing
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.hashing import sha256_of
from graftbench.benchmark.interventions.conditions import Condition
from graftbench.benchmark.models.block_search import blocks_of
from graftbench.benchmark.models.devices import device_of
from graftbench.benchmark.models.folders import folder_of, identity_of
from graftbench.benchmark.models.load import Model, load
from tests.benchmark.conftest import byte_pairs, untrained
from tests.benchmark.tiny_models import tiny


@pytest.fixture
def folder(tmp_path):
    untrained("llama").save_pretrained(tmp_path / "model")
    byte_pairs(320).save_pretrained(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GRAFTBENCH_CACHE", str(tmp_path / "cache"))


def test_a_local_folder_is_a_model(folder):
    model = load(str(folder), device="cpu")
    assert len(model.blocks) == 3
    assert model.d == 16
    assert model.module.dtype == torch.float32
    assert load(str(folder), dtype="bfloat16", device="cpu").module.dtype == torch.bfloat16


def test_identity_is_that_of_weights_configuration_and_tokenizer(folder, tmp_path):
    before = load(str(folder), device="cpu").identity
    assert load(str(folder), dtype="bfloat16", device="cpu").identity != before
    moved = folder.rename(tmp_path / "another name")
    assert load(str(moved), device="cpu").identity == before
    for file in ("model.safetensors", "config.json", "tokenizer.json"):
        content = (moved / file).read_bytes()
        changed = bytearray(content)
        changed[-2] ^= 1
        (moved / file).write_bytes(bytes(changed))
        assert f"{identity_of(moved)}-float32" != before, file
        (moved / file).write_bytes(content)
    (moved / "README.md").write_text("a card")
    assert f"{identity_of(moved)}-float32" == before


def test_the_hash_of_a_large_file_is_cached(tmp_path, monkeypatch):
    monkeypatch.setattr(hashing, "_CACHED_FROM", 10)
    file = tmp_path / "large.bin"
    file.write_bytes(b"x" * 100)
    first = sha256_of(file)
    cached = next((tmp_path / "cache" / "hashes").iterdir())
    cached.write_text(json.dumps(json.loads(cached.read_text()) | {"sha256": "cached"}))
    assert sha256_of(file) == "cached"
    file.write_bytes(b"y" * 101)
    assert sha256_of(file) not in (first, "cached")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("llama-m-hat", "There is no zoo model 'llama-m-hat'. Did you mean llama-m-hate?"),
        ("no-one/no-such-model", "'no-one/no-such-model' is no local folder, and could not be had from the Hub"),
    ],
)
def test_a_model_that_is_not_there_is_one_sentence(name, message, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UserError) as error:
        load(name)
    assert message in str(error.value)


def test_a_folder_without_a_model_is_a_users_mistake(tmp_path):
    with pytest.raises(UserError, match=r"holds no model: it has no config\.json"):
        load(str(tmp_path))


def test_the_device_is_checked():
    assert device_of("cpu").type == "cpu"
    assert device_of("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(UserError, match="no device 'gpu'"):
        device_of("gpu")


def test_the_context_is_the_number_of_positions_in_the_configuration(llama):
    assert llama.context == 128
    bloom = BloomForCausalLM(BloomConfig(vocab_size=320, hidden_size=16, n_layer=1, n_head=2))  # has no bound
    unbounded = Model("bloom", bloom, llama.tokenizer, blocks_of(bloom, "transformer.h", ("mlp",)), "")
    assert unbounded.context == float("inf")


def changed(folder, change):
    """Change the weights in a folder."""
    file = folder / "model.safetensors"
    weights = load_file(file)
    change(weights)
    save_file(weights, file, metadata={"format": "pt"})


BLOCK = "model.layers.0.self_attn.q_proj"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.pop(f"{BLOCK}.weight"), f"lacks weights of the model: {BLOCK}.weight"),
        (lambda w: w.pop("lm_head.weight"), "lacks weights of the model: lm_head.weight"),
        (lambda w: w.update({f"{BLOCK}.weight": torch.ones(8, 16)}), f"another shape.*{BLOCK}.weight"),
        (lambda w: w.update({f"{BLOCK}.bias": torch.ones(16)}), f"does not use: {BLOCK}.bias"),
        (lambda w: w.update({f"{BLOCK}.lora_A.weight": torch.ones(2, 16)}), "does not use: .*lora_A"),
        (lambda w: w.update({"model.layers.3.mlp.up_proj.weight": torch.ones(24, 16)}), "does not use: .*layers.3"),
        (lambda w: w.update({"lm_head.bias": torch.ones(320)}), "does not use: lm_head.bias"),
        (lambda w: [w.pop(name) for name in list(w) if "mlp" in name], "and 6 more"),
    ],
)
def test_weights_that_are_not_those_of_the_model_are_refused(folder, change, message):
    changed(folder, change)
    with pytest.raises(UserError, match=message):
        load(str(folder), device="cpu")


def test_parts_for_another_use_change_nothing(folder):
    before = load(str(folder), device="cpu").module.state_dict()
    changed(folder, lambda w: w.update({"vision_tower.layers.0.w": torch.ones(2), "score.weight": torch.ones(1, 16)}))
    after = load(str(folder), device="cpu").module.state_dict()
    assert all(torch.equal(after[name], weight) for name, weight in before.items())


def test_the_index_of_shards_is_part_of_the_identity(folder):
    before = identity_of(folder)
    (folder / "model.safetensors.index.json").write_text("{}")
    assert identity_of(folder) != before


def test_a_quantized_model_names_its_method(folder):
    config = json.loads((folder / "config.json").read_text())
    settings = {"quant_method": "gptq", "bits": 4, "group_size": 128}
    (folder / "config.json").write_text(json.dumps(config | {"quantization_config": settings}))
    with pytest.raises(UserError, match="is quantized by gptq.*unquantized model"):
        load(str(folder), device="cpu")


def test_no_writers_are_no_way_to_name_them(folder):
    with pytest.raises(UserError, match="names no part of a block"):
        load(str(folder), writers=[])


def test_a_class_that_ignores_the_cache_is_refused_on_loading(tmp_path):
    tiny("Mamba2ForCausalLM").save_pretrained(tmp_path)
    byte_pairs(320).save_pretrained(tmp_path)
    with pytest.raises(UserError, match="Mamba2ForCausalLM gives other logits"):
        load(str(tmp_path))


def test_weights_in_pickles_are_had_from_the_hub_only_where_there_are_no_others(folder, tmp_path, monkeypatch):
    asked = []

    def download(name, *, revision, ignore_patterns):
        asked.append("*.bin" in ignore_patterns)
        return str(tmp_path / name)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    assert folder_of("owner/safe") == tmp_path / "owner/safe"
    assert asked == [True, False]
    (tmp_path / "owner" / "safe").mkdir(parents=True)
    (tmp_path / "owner" / "safe" / "model.safetensors").write_bytes(b"")
    folder_of("owner/safe")
    assert asked == [True, False, True]


def test_weights_in_pickles_are_read(folder):
    weights = load_file(folder / "model.safetensors")
    expected = load(str(folder), device="cpu").module.state_dict()
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin")
    found = load(str(folder), device="cpu").module.state_dict()
    assert all(torch.equal(found[name], weight) for name, weight in expected.items())


def test_a_head_of_its_own_stays_so_whatever_the_configuration_says(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"tie_word_embeddings": True}))
    model = load(str(folder), device="cpu")
    ids = torch.arange(5, 15)[None]
    with torch.inference_mode():
        before = model.module(ids).logits
        IntervenedLM(model, Deployment(Condition("unsteered")), 2)  # lm-eval ties what the configuration says
        assert torch.equal(model.module(ids).logits, before)


@pytest.mark.parametrize("key", ["transformer.h.0.q_norm.weight", "transformer.h.0.attn.lora_A.weight"])
def test_weights_left_over_in_a_block_of_any_name_are_refused(tmp_path, key):
    tiny("GPT2LMHeadModel").save_pretrained(tmp_path)
    byte_pairs(320).save_pretrained(tmp_path)
    changed(tmp_path, lambda w: w.update({key: torch.ones(4)}))
    with pytest.raises(UserError, match=f"does not use: {key}"):
        load(str(tmp_path))


@pytest.mark.parametrize(
    ("file", "content"),
    [("config.json", "[}"), ("config.json", '{"model_type": "llama", "hidden_size": "abc"}'), ("tokenizer.json", "{}")],
)
def test_a_broken_file_is_one_sentence(folder, file, content):
    (folder / file).write_text(content)
    with pytest.raises(UserError, match="cannot be read"):
        load(str(folder))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model_type": "t5", "architectures": ["T5ForConditionalGeneration"]}, "is a T5For.*no causal language model"),
        ({"model_type": "distilbert"}, "is a model of type distilbert, and that is no causal language model"),
        ({"model_type": ["llama"]}, "cannot be read"),
        ({"model_type": "t5", "architectures": 5}, "is a model of type t5"),
        ({"model_type": "bert", "architectures": ["BertForMaskedLM"]}, "is a BertForMaskedLM, and that is no causal"),
        ({"model_type": "roberta", "architectures": ["RobertaModel"]}, "is a RobertaModel, and that is no causal"),
        ({"model_type": "bert", "architectures": None}, "is a model of type bert, and that is no causal"),
        ({"model_type": "mine", "auto_map": {"AutoModelForCausalLM": "m.Mine"}}, "needs Python code of its own"),
    ],
)
def test_what_is_no_model_of_ours_is_seen_in_its_configuration(folder, settings, message):
    (folder / "config.json").write_text(json.dumps(settings))
    with pytest.raises(UserError, match=message):
        load(str(folder))


def test_code_of_a_repository_does_not_matter_where_the_class_is_known(folder):
    settings = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(settings | {"auto_map": {"AutoModelForCausalLM": "m.Mine"}}))
    assert type(load(str(folder), device="cpu").module).__name__ == "LlamaForCausalLM"


def test_a_tokenizer_alone_is_no_model(folder):
    (folder / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"holds no weights of a model: .*\.safetensors"):
        load(str(folder), device="cpu")
    (folder / "config.json").unlink()
    with pytest.raises(UserError, match="holds a tokenizer and no model: it has no config.json"):
        load(str(folder))


def test_layers_that_predict_further_tokens_are_no_part_of_the_model(tmp_path):
    tiny("Glm4MoeForCausalLM", num_nextn_predict_layers=1).save_pretrained(tmp_path)
    byte_pairs(320).save_pretrained(tmp_path)
    changed(tmp_path, lambda w: w.update({"model.layers.3.eh_proj.weight": torch.ones(4)}))
    load(str(tmp_path), device="cpu")
    changed(tmp_path, lambda w: w.update({"model.layers.4.eh_proj.weight": torch.ones(4)}))
    with pytest.raises(UserError, match=r"does not use: model\.layers\.4"):
        load(str(tmp_path), device="cpu")


def test_a_path_that_is_not_there_is_not_looked_for_on_the_hub(tmp_path):
    with pytest.raises(UserError, match="There is no folder .*nowhere with a model"):
        load(str(tmp_path / "nowhere"))
