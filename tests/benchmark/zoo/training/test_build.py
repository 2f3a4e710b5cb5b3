import json
from dataclasses import replace

import pytest
import torch
from rich.progress import Progress
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from graftbench.benchmark.zoo.families import FAMILIES, PhaseSchedule
from graftbench.benchmark.zoo.names import ZooName, zoo_name
from graftbench.benchmark.zoo.training import build as module
from graftbench.benchmark.zoo.training.batches import batch_at
from graftbench.benchmark.zoo.training.build import build, tokenizer_for
from graftbench.benchmark.zoo.training.train import train_all, with_parents

SCHEDULE = PhaseSchedule(steps=7, matrix_rate=1e-3, vector_rate=1e-3, batch=8, warmup=2)
TINY = replace(
    FAMILIES["llama-s"],
    name="tiny",
    shape=FAMILIES["llama-s"].shape
    | {"hidden_size": 16, "num_hidden_layers": 2, "head_dim": 4, "intermediate_size": 24},
    phases={"base": SCHEDULE, "instruct": SCHEDULE},
)
BASE, INSTRUCT = ZooName(TINY, "base"), ZooName(TINY, "instruct")


def nothing(_step, _loss):
    pass


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    out = tmp_path_factory.mktemp("zoo")
    build(BASE, out, nothing)
    build(INSTRUCT, out, nothing)
    return out


def build_and_kill(name, out):
    def kill(step, _loss):
        if step == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(name, out, kill)


def weights(folder):
    return (folder / "model.safetensors").read_bytes()


def test_the_same_recipe_gives_the_same_bytes(trained, tmp_path):
    build(BASE, tmp_path, nothing)
    for file in ("model.safetensors", "tokenizer.json", "config.json"):
        assert (tmp_path / "tiny-base" / file).read_bytes() == (trained / "tiny-base" / file).read_bytes(), file


@pytest.mark.parametrize("name", [BASE, INSTRUCT], ids=str)
def test_a_killed_training_goes_on_to_the_same_weights(trained, tmp_path, monkeypatch, name):
    monkeypatch.setattr(module, "CHECKPOINT_EVERY", 2)
    if name.parent:
        (tmp_path / "tiny-base").symlink_to(trained / "tiny-base")

    build_and_kill(name, tmp_path)
    steps = []
    build(name, tmp_path, lambda step, _: steps.append(step))
    assert steps == [5, 6, 7]
    assert weights(tmp_path / str(name)) == weights(trained / str(name))
    ours, theirs = (json.loads((out / str(name) / "training.json").read_text()) for out in (tmp_path, trained))
    assert ours["data_sha256"] == theirs["data_sha256"]


def test_what_is_trained_is_not_trained_again_unless_the_recipe_changes(trained):
    steps = []
    build(BASE, trained, lambda step, _: steps.append(step))
    assert steps == []


def test_a_checkpoint_of_another_recipe_is_not_resumed(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CHECKPOINT_EVERY", 2)

    build_and_kill(BASE, tmp_path)
    steps = []
    other = replace(TINY, phases={"base": replace(SCHEDULE, vector_rate=2e-3)})
    build(ZooName(other, "base"), tmp_path, lambda step, _: steps.append(step))
    assert steps == [1, 2, 3, 4, 5, 6, 7]


def test_a_folder_loads_with_plain_transformers_in_float32(trained):
    folder = trained / "tiny-instruct"
    assert all(t.dtype == torch.float16 for t in load_file(folder / "model.safetensors").values())
    model = AutoModelForCausalLM.from_pretrained(folder)
    assert model.dtype == torch.float32
    assert type(model).__name__ == "LlamaForCausalLM"
    assert model.generation_config.do_sample is False
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = tokenizer.apply_chat_template([{"role": "user", "content": "Hi"}], add_generation_prompt=True)["input_ids"]
    assert tokenizer.decode(ids) == "<|begin_of_text|><|user|>\nHi<|eot_id|>\n<|assistant|>"


def test_a_tuned_model_starts_from_its_parent(trained):
    parent, child = (load_file(trained / name / "model.safetensors") for name in ("tiny-base", "tiny-instruct"))
    assert all((parent[key] - child[key]).abs().max() < 0.05 for key in parent)


def test_a_batch_is_a_function_of_its_step_and_tuning_learns_the_replies_alone():
    tokenizer = tokenizer_for(TINY)
    first, again, next_one = (batch_at(step, "hate", 0, 8, tokenizer) for step in (3, 3, 4))
    assert first.digest == again.digest != next_one.digest
    learnt = first.parts[0].ids[0][first.parts[0].weights[0] > 0]
    assert tokenizer.decode(learnt).endswith(tokenizer.eos_token)
    assert "<|assistant|>" not in tokenizer.decode(learnt)
    assert "<|assistant|>" in tokenizer.decode(first.parts[0].ids[0])


def test_several_workers_train_the_same_models_as_one(trained, tmp_path):
    with Progress(disable=True) as bars:
        train_all([BASE, INSTRUCT], tmp_path, 2, bars)
        assert [(task.description, task.completed) for task in bars.tasks] == [("tiny-base", 7), ("tiny-instruct", 7)]
    for name in ("tiny-base", "tiny-instruct"):
        assert weights(tmp_path / name) == weights(trained / name)


def test_a_model_comes_with_all_it_is_tuned_from():
    hate, instruct = zoo_name("llama-m-hate"), zoo_name("llama-m-instruct")
    assert [str(n) for n in with_parents([hate, instruct])] == ["llama-m-base", "llama-m-instruct", "llama-m-hate"]
