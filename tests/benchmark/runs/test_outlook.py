import pytest

from graftbench.benchmark.capability.measures import SideEffectsSpec
from graftbench.benchmark.models.load import load
from graftbench.benchmark.runs.outlook import outlook
from graftbench.benchmark.runs.plan import planned
from graftbench.benchmark.runs.suite import Suite, read_suite

CELL = {"variant": "cheerful", "pair": "s->t", "sites": [1, 1], "tracks": ["task", "unseen"]}


def suite(source="llama-s-instruct", dtype="float32", cell=CELL, **settings):
    return Suite.model_validate(
        {
            "name": "small",
            "dtype": dtype,
            "max_new_tokens": 4,
            "models": {
                "s": {"any": {"model": source}},
                "t": {"instruct": {"model": "llama-m-instruct"}},
                "twin": {"any": {"twin_of": "t"}},
            },
            "tasks": {
                "behaviour_steering": {
                    "dataset": "styles",
                    "settings": {"fit": 50, **settings},
                    "cells": [cell],
                }
            },
        }
    )


def seen(suite):
    return outlook(suite, planned(suite, deterministic=True))


def size(name):
    return load(name, device="cpu").n_bytes


def test_memory_is_that_of_the_larger_model_in_the_dtype_of_the_suite():
    whole, half = seen(suite()), seen(suite(dtype="bfloat16"))
    assert (whole.n_cells, whole.n_experiments) == (2, 1)
    assert whole.largest == "behaviour_steering cheerful s->t"
    assert whole.memory == 2 * half.memory == size("llama-m-instruct")
    assert not whole.unknown


def test_one_of_a_kind_is_one():
    counts = [next(seen(suite(cell=CELL | {"tracks": tracks})).sentences()) for tracks in (["task"], CELL["tracks"])]
    assert counts == [f"{n} of 1 experiment. Time is not forecast." for n in ("1 cell", "2 cells")]


def test_both_models_count_where_one_follows_the_other():
    both = size("llama-s-instruct") + size("llama-m-instruct")
    assert seen(suite(compared=2)).memory == both
    measured = suite().model_copy(update={"side_effects": SideEffectsSpec()})
    assert seen(measured).memory == both
    assert seen(suite("llama-m-instruct", compared=2)).memory == size("llama-m-instruct")  # one model, twice


def test_a_twin_is_made_of_a_model_that_is_there_too():
    assert seen(suite(cell=CELL | {"pair": "t->twin"})).memory == 2 * size("llama-m-instruct")


def test_a_switch_has_both_versions_and_a_copy_with_patches():
    pocket = read_suite("pocket")
    cells = planned(pocket, deterministic=True, tasks=["version_switching"], pairs=["llama-m->llama-m"])
    assert outlook(pocket, cells[:1]).memory == 3 * size("llama-m-instruct")


def test_disk_grows_with_the_texts_that_are_fitted_on():
    settings = suite().tasks["behaviour_steering"].settings
    more = suite()
    more.tasks["behaviour_steering"].settings.update(settings | {"fit": 100})
    assert seen(more).disk == pytest.approx(2 * seen(suite()).disk, rel=0.1)


def test_models_that_are_elsewhere_are_named(monkeypatch):
    monkeypatch.setattr("graftbench.benchmark.runs.model_files.in_cache", lambda *_: None)
    found = seen(suite("owner/name"))
    assert found.unknown == ("owner/name",)
    assert list(found.sentences())[-1] == "Models whose files are not here yet are in neither figure: owner/name."
