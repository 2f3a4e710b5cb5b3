import json
from dataclasses import replace
from pathlib import Path

import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.runs.foresight import check_sites, shortages
from graftbench.benchmark.runs.plan import planned
from graftbench.benchmark.runs.suite import ModelSpec, read_suite

LISTS = Path(__file__).parents[3] / "examples" / "my_behaviour" / "suite.yaml"


@pytest.fixture
def suite():
    return read_suite("pocket")


@pytest.fixture
def cells(suite):
    return planned(suite, deterministic=True, tasks=["backdoor_removal"])


def with_model(suite, cells, folder):
    """The suite with a folder as the target of its first cell."""
    target = cells[0].pair.partition("->")[2]
    spec = ModelSpec(model=str(folder))
    return suite.model_copy(update={"models": suite.models | {target: dict.fromkeys(suite.models[target], spec)}})


def test_what_ships_lacks_nothing(suite, cells):
    check_sites(suite, cells)
    assert list(shortages(suite, cells)) == []


@pytest.mark.parametrize("config", [{"num_hidden_layers": 3}, {"text_config": {"n_layer": 3}}])
def test_a_site_beyond_the_blocks_of_a_configuration_is_told_before_anything_is_loaded(suite, cells, config, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(config))
    cell = replace(cells[0], sites=(1, 3))
    with pytest.raises(UserError, match=r"has no site 3, which .* names; its sites are 0 to 2"):
        check_sites(with_model(suite, cells, tmp_path), [cell])
    check_sites(with_model(suite, cells, tmp_path), [replace(cell, sites=(1, 2))])


def test_a_model_that_is_elsewhere_or_broken_is_left_to_loading(suite, cells, tmp_path):
    far = replace(cells[0], sites=(1, 99))
    check_sites(with_model(suite, cells, "owner/name"), [far])
    check_sites(with_model(suite, cells, tmp_path), [far])


def test_a_site_beyond_the_blocks_of_a_model_in_the_cache_of_the_hub_is_told(suite, cells, tmp_path, monkeypatch):
    monkeypatch.setattr("graftbench.benchmark.runs.model_files.in_cache", lambda *_: tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"num_hidden_layers": 3}))
    with pytest.raises(UserError, match="owner/name has no site 3"):
        check_sites(with_model(suite, cells, "owner/name"), [replace(cells[0], sites=(1, 3))])


def test_checks_may_ask_for_few(suite, cells):
    task = suite.tasks["backdoor_removal"]
    asked = task.model_copy(update={"settings": task.settings | {"test": 12}})
    few = suite.model_copy(update={"tasks": suite.tasks | {"backdoor_removal": asked}})
    assert list(shortages(few, cells))
    assert list(shortages(few, [cell for cell in cells if cell.check])) == []


def test_prompts_that_are_too_few_to_count_or_not_there_are_told():
    suite = read_suite(str(LISTS))
    task = suite.tasks["backdoor_removal"]
    asked = task.model_copy(update={"settings": task.settings | {"test": 128, "validation": 400}})
    more = suite.model_copy(update={"tasks": {"backdoor_removal": asked}})
    told = list(shortages(more, planned(more, deterministic=True)))
    assert "backdoor_removal asks 128 prompts on test, and a cell counts where 128 are left" in told[0]
    assert told[1:] == ["numbered_lists has 100 of the 400 prompts on validation that numbered_lists asks for."]


def test_too_few_prompts_are_one_sentence_for_both_splits(suite, cells):
    task = suite.tasks["backdoor_removal"]
    asked = task.model_copy(update={"settings": task.settings | {"test": 32, "validation": 16}})
    few = suite.model_copy(update={"tasks": suite.tasks | {"backdoor_removal": asked}})
    (told,) = shortages(few, cells)
    assert "asks 32 prompts on test and 16 prompts on validation, and a cell counts where 128 and 64 are left" in told
