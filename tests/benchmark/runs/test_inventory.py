"""What a suite needs, on a cache that is laid out as the Hub's client lays it out, without a network."""

import json
import shutil
from types import SimpleNamespace

import huggingface_hub.constants
import pytest
from huggingface_hub.errors import GatedRepoError, LocalEntryNotFoundError
from huggingface_hub.utils import filter_repo_objects

from graftbench.benchmark.capability.measures import SideEffectsSpec
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.rows import DATA_VARIABLE
from graftbench.benchmark.models.folders import NOT_READ
from graftbench.benchmark.models.load import load
from graftbench.benchmark.models.shipped import shipped_folder
from graftbench.benchmark.runs.inventory import fetch, needed
from graftbench.benchmark.runs.suite import Suite

REVISION = "a" * 40


def suite(*models, dataset="styles"):
    return Suite.model_validate(
        {
            "name": "small",
            "max_new_tokens": 4,
            "models": {f"m{i}": {"any": model} for i, model in enumerate(models)},
            "tasks": {"behaviour_steering": {"dataset": dataset, "cells": []}},
        }
    )


@pytest.fixture
def hub_cache(tmp_path, monkeypatch):
    """A cache of the Hub with one model, and no network."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    folder = tmp_path / "models--owner--small"
    shutil.copytree(shipped_folder("llama-s-instruct"), folder / "snapshots" / REVISION)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(REVISION)
    return tmp_path


def test_a_model_in_the_cache_is_here_and_is_loaded_from_there(hub_cache):
    (model, _) = needed(suite({"model": "owner/small"}))
    assert (model.here, model.size > 100_000) == (True, True)
    assert load("owner/small", device="cpu").identity == load("llama-s-instruct", device="cpu").identity


@pytest.mark.parametrize("named", [{"model": "owner/other"}, {"model": "owner/small", "revision": "b" * 40}])
def test_what_is_not_in_the_cache_is_not_here(hub_cache, named):
    (model, _) = needed(suite(named))
    assert (model.here, model.note) == (False, "the Hub cannot be reached from here")
    (told,) = fetch(suite(named), lambda _: None)
    assert "could not be had from the Hub: the Hub cannot be reached from here." in told


def test_an_interrupted_download_is_not_here(hub_cache):
    for weights in (hub_cache / "models--owner--small" / "snapshots" / REVISION).glob("*.safetensors"):
        weights.unlink()
    (model, _) = needed(suite({"model": "owner/small"}))
    assert not model.here


def test_one_shard_of_two_is_not_here(hub_cache):
    folder = hub_cache / "models--owner--small" / "snapshots" / REVISION
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    files = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": files}))
    (model, _) = needed(suite({"model": "owner/small"}))
    assert not model.here


def test_a_name_that_can_be_no_model_is_one_sentence(hub_cache):
    with pytest.raises(UserError, match="Did you mean"):
        list(needed(suite({"model": "llama-s-instruc"})))


def test_a_local_folder_that_is_still_to_be_made_is_not_here_and_is_not_fetched(hub_cache):
    mine = suite({"model": "./nowhere"}, {"model": "owner/small"})
    (absent, present, _) = needed(mine)
    assert (absent.here, absent.note, present.here) == (False, "there is no such folder", True)
    told = []
    fetch(mine, told.append)
    assert told == ["owner/small", "styles"]


def test_what_is_gated_is_told(hub_cache, monkeypatch):
    def refuse(*_, local_files_only=False, **__):
        if local_files_only:
            raise LocalEntryNotFoundError("")
        raise GatedRepoError("", response=SimpleNamespace(headers={}, request=None))

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
    (model, data) = needed(suite({"model": "meta/gated"}, dataset="hh_rlhf"))
    assert (model.here, model.note.partition(":")[0]) == (False, "gated")
    assert (data.here, data.note.partition(":")[0]) == (None, "gated")


def test_checkpoints_that_lie_beside_the_weights_are_left_on_the_hub():
    files = ["model.safetensors", "config.json", "checkpoint-565/model.safetensors", "checkpoint-565/optimizer.pt"]
    assert list(filter_repo_objects(files, ignore_patterns=NOT_READ)) == files[:2]


def test_folders_and_what_ships_are_here(hub_cache):
    folder = shipped_folder("llama-s-instruct")
    found = list(needed(suite({"model": str(folder)}, {"model": "qwen2-s-instruct"}, {"twin_of": "m0"})))
    assert [each.here for each in found] == [True, True, True]
    assert [each.name for each in found] == [str(folder), "qwen2-s-instruct", "styles"]
    told = []
    fetch(suite({"model": str(folder)}), told.append)
    assert told == [str(folder), "styles"]


def test_published_data_are_in_the_mirror_or_not(hub_cache, tmp_path, monkeypatch):
    published = suite({"model": "llama-s-instruct"}, dataset="hh_rlhf")
    (_, unknown) = needed(published)
    assert (unknown.here, "Anthropic/hh-rlhf" in unknown.note) == (None, True)
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    (_, absent) = needed(published)
    assert (absent.here, "harmless-base/train.jsonl.gz" in absent.note) == (False, True)
    file = tmp_path / "harmless-base" / "train.jsonl.gz"
    file.parent.mkdir()
    file.write_bytes(b"." * 1000)
    (_, present) = needed(published)
    assert (present.here, present.size) == (True, 1000)


def test_what_the_hub_says_of_a_dataset_is_told(hub_cache, monkeypatch):
    asked = []

    def answer(name, **arguments):
        asked.append((name, arguments["repo_type"], arguments["allow_patterns"], arguments["dry_run"]))
        return [SimpleNamespace(file_size=70)]

    monkeypatch.setattr(huggingface_hub, "snapshot_download", answer)
    (_, dataset) = needed(suite({"model": "llama-s-instruct"}, dataset="hh_rlhf"))
    assert (dataset.here, dataset.size) == (None, 70)
    assert asked == [("Anthropic/hh-rlhf", "dataset", "harmless-base/train.jsonl.gz", True)]


def test_side_effects_need_their_tasks_and_their_texts(hub_cache, tmp_path, monkeypatch):
    def effects(**spec):
        mine = suite({"model": "llama-s-instruct"}).model_copy(update={"side_effects": SideEffectsSpec(**spec)})
        return list(needed(mine))[2:]

    (task, texts) = effects(tasks=["mmlu"], corpus="pile")
    assert (task.here, texts.here, "too large to keep" in texts.note) == (None, None, True)
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    (task, texts) = effects(tasks=["mmlu"], corpus="wikitext")
    assert (task.here, texts.here) == (False, False)
    assert "anatomy_test.csv" in task.note
    assert effects(tasks=[], texts=0, corpus="wikitext") == []
    assert [each.name for each in effects(tasks=["pocket_mmlu"])] == ["pocket_mmlu"]
