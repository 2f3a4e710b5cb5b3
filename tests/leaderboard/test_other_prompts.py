"""Cells on test prompts that no submission could know."""

import pytest
from rich.console import Console

from graftbench.benchmark.results.schema import Rate
from graftbench.benchmark.runs.suite import read_suite
from graftbench.cli.main import main
from graftbench.leaderboard import other_prompts
from graftbench.leaderboard import rerun as rerun_module
from graftbench.leaderboard.other_prompts import falls_off, line_of, other_prompts_of_entry, with_test_seed
from graftbench.tasks.datasets.pocket.dataset import Pocket, pocket
from tests.benchmark.runs.test_entry import failed, result
from tests.leaderboard.planted import of, run_of, suite_of
from tests.leaderboard.test_rerun import of_ridge


def rated(native, mapped, width=0.05):
    rates = {
        name: Rate(value=value, low=max(0.0, value - width), high=min(1.0, value + width))
        for name, value in (("native", native), ("mapped", mapped))
    }
    return result().model_copy(update={"rates": rates})


def test_another_seed_asks_test_prompts_that_are_none_of_the_suite():
    for behaviour in Pocket().behaviours:
        asked = [d.examples(behaviour, "test", 144) for d in (pocket(), pocket(test_seed=7), pocket(test_seed=7))]
        own, others, again = ([example.prompt.text for example in each] for each in asked)
        assert not set(own) & set(others)
        assert others == again
        assert len(others) >= 40
        assert pocket().examples(behaviour, "validation", 96) == pocket(test_seed=7).examples(
            behaviour, "validation", 96
        )
    assert pocket().identity == Pocket().identity
    assert pocket(test_seed=7).identity != pocket(test_seed=8).identity


def test_only_tasks_on_the_pocket_world_get_other_prompts():
    suite = with_test_seed(read_suite("pocket"), 5)
    assert {task.dataset["test_seed"] for task in suite.tasks.values()} == {5}
    smollm2 = read_suite("smollm2")
    assert with_test_seed(smollm2, 5) == smollm2


@pytest.mark.parametrize(
    ("before", "now", "falls"),
    [
        (rated(0.9, 0.8), rated(0.9, 0.3), True),
        (rated(0.9, 0.8), rated(0.4, 0.3), False),
        (rated(0.9, 0.8), rated(0.9, 0.78), False),
        (rated(0.9, 0.8, width=0.5), rated(0.9, 0.3, width=0.5), False),
    ],
    ids=["the mapper alone", "native, too", "hardly", "nobody knows"],
)
def test_a_mapper_that_knows_the_prompts_by_heart_is_told(before, now, falls):
    assert falls_off(before, now) is falls
    assert ("surely loses more on them than native" in line_of("cell", before, now)) is falls


def test_a_line_has_both_rates_and_the_difference_with_its_interval():
    line = line_of("cell", rated(0.9, 0.8), rated(0.9, 0.7))
    assert "mapped 0.80, now 0.70 (-0.10, -0.17 to -0.03)" in line
    assert "it failed: ValueError: no" in line_of("cell", rated(0.9, 0.8), failed())
    assert "not planned" in line_of("cell", rated(0.9, 0.8), None)


def test_the_same_cells_are_run_with_the_other_seed(tmp_path, monkeypatch):
    asked = []

    def ran(request, _):
        asked.append(request)
        return of_ridge(*of(0.2)) and type("Ran", (), {"entry": of_ridge(*of(0.2))})

    monkeypatch.setattr(rerun_module, "run", ran)
    monkeypatch.setattr(rerun_module.Request, "cells", lambda _: ["some"])
    submission = of_ridge(*of(0.9))
    run_of(tmp_path / "run", submission)
    name = rerun_module.name_of(submission.cells[0])
    where = tmp_path / "run" / "entry.json", tmp_path
    (line,) = other_prompts_of_entry(*where, [name], 5, trust=True, out=tmp_path / "out", console=Console(quiet=True))
    assert line.startswith(f"{name}, ")
    assert "surely loses more on them than native" in line
    assert asked[0].only == (name,)
    assert {str(task.dataset) for task in asked[0].suite.tasks.values()} == {str({"name": "pocket", "test_seed": 5})}
    assert suite_of().tasks != asked[0].suite.tasks


def test_cells_of_other_datasets_are_told_and_not_run(tmp_path, monkeypatch):
    monkeypatch.setattr(rerun_module, "run", lambda *_: pytest.fail("something was run"))
    submission = of_ridge(*of(0.9))
    run_of(tmp_path / "run", submission)
    monkeypatch.setattr(other_prompts, "_is_drawn", lambda _: False)
    name = rerun_module.name_of(submission.cells[0])
    where = tmp_path / "run" / "entry.json", tmp_path
    (line,) = other_prompts_of_entry(*where, [name], 5, trust=True, out=tmp_path / "out", console=Console(quiet=True))
    assert line == f"{name}: the dataset of its task draws no others"


def test_other_prompts_without_a_rerun_are_refused(tmp_path, capsys):
    run_of(tmp_path / "run", of_ridge(*of(0.5)))
    assert main(["leaderboard", "verify", str(tmp_path / "run"), "--other-prompts"]) == 2
    assert "--other-prompts goes with --rerun" in capsys.readouterr().err
