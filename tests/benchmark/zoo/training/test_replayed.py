"""Training as on a GPU: on a CPU nothing is recorded, and all else is the same."""

import copy
import json
from functools import partial

import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.zoo.families import PhaseSchedule
from graftbench.benchmark.zoo.training import build as module
from graftbench.benchmark.zoo.training.ahead import batches_of
from graftbench.benchmark.zoo.training.batches import MicroBatch, TrainingBatch, batch_at
from graftbench.benchmark.zoo.training.build import build, new_model, recipe_hash, tokenizer_for
from graftbench.benchmark.zoo.training.loop import Optimizers, train_step
from graftbench.benchmark.zoo.training.replayed import ReplayedSteps
from graftbench.benchmark.zoo.training.train import n_processes_ahead, train
from tests.benchmark.conftest import untrained
from tests.benchmark.zoo.training.test_build import BASE, TINY, build_and_kill, nothing, weights

CPU = torch.device("cpu")
FROZEN = PhaseSchedule(steps=7, matrix_rate=1e-2, vector_rate=1e-2, frozen=1)


@pytest.fixture(scope="module")
def tokenizer():
    return tokenizer_for(TINY)


@pytest.fixture
def as_on_a_gpu(monkeypatch):
    monkeypatch.setattr(module, "are_replayed", lambda _: True)


def test_a_batch_in_one_part_has_the_same_texts_and_weights_and_few_lengths(tokenizer):
    for step in range(5):
        split, whole = (batch_at(step, "base", 0, 8, tokenizer, in_one_part=flag) for flag in (False, True))
        assert whole.digest == split.digest
        assert whole.weight == pytest.approx(split.weight)
        (part,) = whole.parts
        assert len(split.parts) > 1
        assert part.ids.shape == part.weights.shape
        assert part.ids.shape[1] % 32 == 0
        rows = [row[: int(mask.nonzero().max()) + 1].tolist() for row, mask in zip(part.ids, part.weights, strict=True)]
        assert rows == [
            row[: int(mask.nonzero().max()) + 1].tolist()
            for each in split.parts
            for row, mask in zip(each.ids, each.weights, strict=True)
        ]


@pytest.mark.parametrize("schedule", [BASE.family.phases["base"], FROZEN], ids=["all", "one block frozen"])
def test_replayed_steps_move_a_model_as_steps_on_a_cpu_do(tokenizer, schedule):
    usual = new_model(TINY, tokenizer)
    replayed, start = copy.deepcopy(usual), copy.deepcopy(usual)
    optimizers, steps = Optimizers(usual, schedule), ReplayedSteps(replayed, Optimizers(replayed, schedule, CPU))
    for step in range(6):
        make = partial(batch_at, step, "base", 0, 8, tokenizer)
        loss = train_step(usual, optimizers, make(), 0.5 + step / 10)
        assert float(steps(make(in_one_part=True), 0.5 + step / 10)) == pytest.approx(loss, abs=1e-4)
    for one, other, before in zip(usual.parameters(), replayed.parameters(), start.parameters(), strict=True):
        assert (one - other).abs().max() <= 1e-2 * (one - before).abs().max()


@pytest.mark.parametrize("architecture", ["llama", "qwen2", "gemma2"])
def test_a_replayed_step_neither_reads_a_value_nor_meets_a_tensor_on_the_host(architecture, monkeypatch):
    model = untrained(architecture).train()
    optimizers = Optimizers(model, FROZEN)
    monkeypatch.setattr(torch.__future__, "get_swap_module_params_on_conversion", lambda: True)
    model.to("meta")  # whose tensors have no values, and take no others
    for group in [*optimizers._muon.param_groups, *optimizers._adam.param_groups]:
        group["lr"] = torch.zeros((), device="meta")
    monkeypatch.setattr(optimizers._adam, "step", lambda: None)  # torch's own, made for it, has no kernel for such
    steps = ReplayedSteps(model, optimizers)
    part = MicroBatch(torch.zeros(4, 32, dtype=torch.long), torch.ones(4, 32))
    for _ in range(2):
        assert steps(TrainingBatch((part,), 1.0, b""), 0.5).device.type == "meta"
    assert all(p.device.type == "meta" for p in model.parameters())


def test_other_processes_make_the_same_batches_in_order(tokenizer):
    make = partial(batch_at, version="hate", seed=0, size=4, tokenizer=tokenizer)
    ours, theirs = (list(batches_of(range(3, 9), make, n)) for n in (0, 2))
    assert [batch.digest for batch in theirs] == [batch.digest for batch in ours]
    for one, other in zip(ours, theirs, strict=True):
        assert all(torch.equal(a.ids, b.ids) for a, b in zip(one.parts, other.parts, strict=True))
        assert all(torch.equal(a.weights, b.weights) for a, b in zip(one.parts, other.parts, strict=True))
    assert list(batches_of(range(9, 9), make, 2)) == []


def test_a_model_trained_as_on_a_gpu_learns_as_much_and_a_killed_training_goes_on(tmp_path, monkeypatch, as_on_a_gpu):
    monkeypatch.setattr(module, "LOSS_EVERY", 5)
    whole, killed, steps = tmp_path / "whole", tmp_path / "killed", []
    build(BASE, whole, lambda step, loss: steps.append((step, loss)), n_ahead=1)
    assert [step for step, _ in steps] == [5, 7]
    monkeypatch.setattr(module, "CHECKPOINT_EVERY", 2)
    monkeypatch.setattr(module, "_LATER", 1)
    build_and_kill(BASE, killed)
    build(BASE, killed, nothing)
    assert weights(killed / "tiny-base") == weights(whole / "tiny-base")
    monkeypatch.undo()
    build(BASE, tmp_path / "cpu", nothing)
    ours, theirs = (
        json.loads((tmp_path / out / "tiny-base" / "training.json").read_text()) for out in ("whole", "cpu")
    )
    assert ours["data_sha256"] == theirs["data_sha256"]
    assert ours["loss"] == pytest.approx(theirs["loss"], abs=1e-3)
    one, other = (load_file(tmp_path / out / "tiny-base" / "model.safetensors") for out in ("whole", "cpu"))
    assert all((one[key] - other[key]).abs().max() < 2e-3 for key in one)


def test_a_recipe_names_the_kind_of_device_but_not_which_one(tokenizer, tmp_path):
    hashes = {kind: recipe_hash(BASE, tmp_path, tokenizer, torch.device(kind)) for kind in ("cpu", "cuda", "cuda:1")}
    assert hashes["cpu"] == recipe_hash(BASE, tmp_path, tokenizer)
    assert hashes["cuda"] == hashes["cuda:1"] != hashes["cpu"]


def test_the_record_of_a_model_names_its_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"GPU {device.index}")
    assert module._place(torch.device("cuda:1")) == {"device": "GPU 1"}
    assert module._place(CPU) == {"threads": torch.get_num_threads()}


@pytest.mark.parametrize(("cores", "workers", "n"), [(16, 8, 3), (16, 4, 7), (2, 8, 1)])
def test_the_cores_are_shared_among_the_models_that_are_trained_at_a_time(monkeypatch, cores, workers, n):
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    assert n_processes_ahead(workers) == n


def test_a_device_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match="There is no device 'gpu' here"):
        train([BASE], tmp_path, 1, "gpu", Console(), measure=False)
