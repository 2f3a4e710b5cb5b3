"""What a suite needs, on a cache that is laid out as the Hub's client lays it out, without a network."""

import json
import shutil

import huggingface_hub.constants
import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.rows import DATA_VARIABLE
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
    with pytest.raises(UserError, match="could not be had from the Hub"):
        fetch(suite(named), lambda _: None)


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


@pytest.mark.parametrize(
    ("name", "message"), [("./nowhere", "There is no folder ./nowhere"), ("llama-s-instruc", "Did you mean")]
)
def test_a_name_that_can_be_no_model_is_one_sentence(hub_cache, name, message):
    with pytest.raises(UserError, match=message):
        list(needed(suite({"model": name})))


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
