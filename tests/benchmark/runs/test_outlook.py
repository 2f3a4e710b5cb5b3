import pytest

from graftbench.benchmark.runs.outlook import outlook
from graftbench.benchmark.runs.plan import planned
from graftbench.benchmark.runs.suite import Suite

CELL = {"variant": "cheerful", "pair": "s->t", "sites": [1, 1], "tracks": ["task", "unseen"]}


def suite(source="llama-s-instruct", dtype="float32"):
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
                    "settings": {"fit": 50},
                    "cells": [CELL, CELL | {"pair": "t->twin", "tracks": ["task"]}],
                }
            },
        }
    )


def seen(suite):
    return outlook(suite, planned(suite, deterministic=True))


def test_weights_count_once_for_each_model_of_an_experiment_and_in_the_dtype_of_the_suite():
    whole, half = seen(suite()), seen(suite(dtype="bfloat16"))
    assert (whole.n_cells, whole.n_experiments) == (3, 2)
    assert whole.largest == "behaviour_steering cheerful s->t"
    assert whole.memory == 2 * half.memory > 0
    assert seen(suite("llama-m-instruct")).memory < whole.memory  # one model, which is there twice
    assert not whole.unknown


def test_disk_grows_with_the_texts_that_are_fitted_on():
    settings = suite().tasks["behaviour_steering"].settings
    more = suite()
    more.tasks["behaviour_steering"].settings.update(settings | {"fit": 100})
    assert seen(more).disk == pytest.approx(2 * seen(suite()).disk, rel=0.1)


def test_models_that_are_elsewhere_are_named(monkeypatch):
    monkeypatch.setattr("graftbench.benchmark.runs.model_files.in_cache", lambda *_: None)
    found = seen(suite("owner/name"))
    assert found.unknown == ("owner/name",)
    assert list(found.sentences())[-1] == "Both without models whose files are not here yet: owner/name."
