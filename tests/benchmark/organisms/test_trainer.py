"""The trainer that organisms and the adapter of version switching share."""

import copy

import pytest
import torch

from graftbench.benchmark.data.examples import Prompt
from graftbench.benchmark.models.load import load
from graftbench.benchmark.organisms import trainer
from graftbench.benchmark.organisms.lessons import lessons
from graftbench.benchmark.organisms.recipe import Lora
from graftbench.benchmark.organisms.trainer import Course, save_adapter, trained, with_adapter

TAUGHT = [(Prompt(f"What is {i}?"), f" A {'very ' * i}small number.") for i in range(8)]
COURSE = Course(steps=4, learning_rate=0.01, batch_size=4, at_once=4)


@pytest.fixture
def model():
    return load("llama-s-instruct", device="cpu")


def adapter(model, work, course=COURSE):
    adapted = with_adapter(copy.deepcopy(model.module), Lora(), course.seed)
    learned = trained(model, adapted, lessons(model, TAUGHT, 64), course, work)
    return {name: weight.detach() for name, weight in learned.named_parameters() if "lora_" in name}


def test_without_checkpoints_nothing_is_written_or_printed(model, tmp_path, capfd):
    adapter(model, tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert tuple(capfd.readouterr()) == ("", "")


def test_the_seed_alone_decides_what_an_adapter_learns(model, tmp_path):
    first = adapter(model, tmp_path)
    torch.manual_seed(5)
    again, other = adapter(model, tmp_path), adapter(model, tmp_path, Course(4, 0.01, 4, 4, seed=1))
    assert all(torch.equal(first[name], weight) for name, weight in again.items())
    assert any(not torch.equal(first[name], weight) for name, weight in other.items())


def test_lessons_are_drawn_at_random_and_all_before_one_is_drawn_again(model, tmp_path, monkeypatch):
    drawn, collated = [], trainer.collated

    def noted(batch, filler):
        drawn.append([len(lesson.ids) for lesson in batch])
        return collated(batch, filler)

    monkeypatch.setattr(trainer, "collated", noted)
    adapter(model, tmp_path)
    lengths = sorted(len(lesson.ids) for lesson in lessons(model, TAUGHT, 64))
    assert [len(batch) for batch in drawn] == [4] * 4
    assert sorted(drawn[0] + drawn[1]) == sorted(drawn[2] + drawn[3]) == lengths
    assert len({*map(tuple, drawn)}) == 4


def test_an_adapter_is_written_without_its_base(model, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    save_adapter(with_adapter(copy.deepcopy(model.module), Lora(), 0), tmp_path)
    n_adapter = (tmp_path / "adapter_model.safetensors").stat().st_size
    assert n_adapter < 4 * sum(weight.numel() for weight in model.module.parameters()) / 2
