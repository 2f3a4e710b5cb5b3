import json

import pytest
import torch
from torch import nn
from transformers import BloomConfig, BloomForCausalLM

from graftbench.benchmark.core import hashing
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.hashing import sha256_of
from graftbench.benchmark.models.architectures import blocks_of
from graftbench.benchmark.models.load import Model, device_of, identity_of, load
from tests.benchmark.conftest import ARCHITECTURES, byte_pairs, untrained


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
    with pytest.raises(UserError, match="cannot be read"):
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


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_blocks_of_known_architectures_are_found(architecture):
    blocks = blocks_of(untrained(architecture))
    assert len(blocks) == 3
    assert len(blocks.writer_modules()) == 6


class Odd(nn.Module):
    def __init__(self):
        super().__init__()
        self.stack = nn.ModuleList([nn.ModuleDict({"mix": nn.Identity(), "feed": nn.Identity()})])


def test_an_unknown_architecture_says_how_to_name_its_blocks():
    with pytest.raises(UserError, match="blocks of a Odd are not known.*`blocks: model.decoder.layers`"):
        blocks_of(Odd())
    assert len(blocks_of(Odd(), "stack", ["mix", "feed"]).writer_modules()) == 2
    with pytest.raises(UserError, match="no list of blocks at 'stick'"):
        blocks_of(Odd(), "stick", ["mix"])
    with pytest.raises(UserError, match="with the parts mix, food"):
        blocks_of(Odd(), "stack", ["mix", "food"])
