"""A real model that a package brings, converted into a cache of its own."""

import pytest
import torch

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.examples import Prompt
from graftbench.benchmark.interventions.conditions import Row
from graftbench.benchmark.interventions.generation import generate
from graftbench.benchmark.models import packaged
from graftbench.benchmark.models.chat import chat
from graftbench.benchmark.models.load import load
from graftbench.benchmark.models.packaged import packaged_file, packaged_folder, packaged_models

INSTRUCT, TWIN = packaged_models()


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRAFTBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def model():
    return load(INSTRUCT, device="cpu")


def test_it_is_the_model_that_its_name_says(model):
    (reply,) = generate(model, [Row(chat(Prompt("What is the capital of France?"), model.tokenizer))], max_new_tokens=9)
    assert "Paris" in reply.text
    assert (len(model.blocks), model.d, model.context) == (30, 576, 8192)


def test_it_is_converted_once(model, monkeypatch):
    monkeypatch.setattr(packaged, "_convert", lambda *_: pytest.fail("it was converted again"))
    assert load(INSTRUCT, device="cpu").identity == model.identity
    assert (packaged_folder(INSTRUCT) / "config.json").is_file()


def test_its_twin_is_the_same_function_with_other_activations(model):
    twin, ids = load(TWIN, device="cpu"), torch.tensor([[1, 5, 77, 901, 4004]])
    assert twin.identity != model.identity
    with torch.no_grad():
        own, other = (each.module(ids, output_hidden_states=True) for each in (model, twin))
    assert torch.allclose(own.logits, other.logits, atol=1e-3)
    assert not torch.allclose(own.hidden_states[9], other.hidden_states[9], atol=1.0)


def test_a_package_that_is_missing_is_named(monkeypatch):
    def missing(_):
        raise packaged.metadata.PackageNotFoundError

    monkeypatch.setattr(packaged.metadata, "files", missing)
    with pytest.raises(UserError, match=r"smollm2-135m-twin comes with another package: install graftbench\[smollm2\]"):
        packaged_file(TWIN)


def test_another_file_of_the_same_name_is_refused(tmp_path, monkeypatch):
    file = tmp_path / "SmolLM2-135M-Instruct.Q4_1.gguf"
    file.write_bytes(b"other weights")

    class Listed:
        name = file.name

        def locate(self):
            return file

    monkeypatch.setattr(packaged.metadata, "files", lambda _: [Listed()])
    with pytest.raises(UserError, match=r"is not the file that smollm2-135m-instruct means"):
        packaged_file(INSTRUCT)
