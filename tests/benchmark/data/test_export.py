import json

import pytest
import yaml

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.dataset import About, Behaviour
from graftbench.benchmark.data.export import export
from graftbench.benchmark.data.jsonl import jsonl_dataset
from graftbench.benchmark.data.line_dataset import Deployed, LineDataset
from graftbench.benchmark.data.lines import ConversationLine, ExampleLine, PairLine, Placed, TurnForm

BEHAVIOURS = {
    "a": Behaviour("backdoor", ("hate",), "insult"),
    "b": Behaviour("switch", ("hate", "instruct"), "insult", positions="last"),
}
EARLIER = (("Hi.", "Hello."),)
LINES = [
    ExampleLine(prompt="Go |x|", trigger=(3, 6), clean="Go", behaviour="a", split="test", reference="Gone.", group="g"),
    ExampleLine(prompt="Zürich?", clean=TurnForm(prompt="Zürich?", reply="I"), cluster="city", split="validation"),
    ExampleLine(prompt="Yes?", before=EARLIER, behaviour="b", shows=False, split="test"),
    PairLine(desired="Stop", undesired=TurnForm(prompt="Stop |x|", trigger="|x|", continuation=" now"), behaviour="a"),
    ConversationLine(prompt="Why?", reply="So.", shows=True, behaviour="a", split="fit"),
    ConversationLine(prompt="How?", reply="Thus.", version="instruct", behaviour="b", split="fit"),
    ConversationLine(prompt=None, reply="A text.", general=True, split="fit"),
    *(ConversationLine(prompt=f"What {i}?", reply=f"That {i}.") for i in range(60)),
]


def dataset(lines=LINES, **more):
    placed = [Placed(f"line {i}", line) for i, line in enumerate(lines)]
    deployed = {"a": Deployed("{words} |x|", "|x|")}
    about = About("Title", "owner/rows", "abc", "CC0")
    return LineDataset("d", 1, about, BEHAVIOURS, lambda: placed, str, {"insult": "phrase"}, deployed, **more)


def everything(data, name):
    splits, tracks = ("fit", "vector", "validation", "test"), ("task", "unseen", "general")
    return (
        data.behaviours[name],
        data.contrast(name, 99),
        [of(name, split, 99) for of in (data.examples, data.plain_examples) for split in splits],
        [data.conversations(name, split, track, 99) for split in splits for track in tracks],
        data.lessons(name, 99),
        data.as_deployed(name, "Go."),
    )


@pytest.mark.parametrize("more", [{}, {"seed": 7}, {"shares": {"fit": 70, "test": 30}}], ids=str)
def test_what_is_exported_is_read_as_it_was(tmp_path, more):
    original = dataset(**more)
    counts = export(original, tmp_path / "d", ["a", "b"])
    assert counts == {"examples.jsonl": 3, "pairs.jsonl": 1, "conversations.jsonl": 63}
    again = jsonl_dataset(tmp_path / "d")
    assert all(everything(again, name) == everything(original, name) for name in BEHAVIOURS)
    assert (again.name, again.about, again.judges) == (original.name, original.about, original.judges)


def test_what_is_exported_again_is_the_same_file(tmp_path):
    export(dataset(), tmp_path / "d", ["a", "b"])
    export(jsonl_dataset(tmp_path / "d"), tmp_path / "again", ["a", "b"])
    for file in (tmp_path / "d").iterdir():
        assert (tmp_path / "again" / file.name).read_bytes() == file.read_bytes()


def test_one_behaviour_goes_with_the_lines_that_belong_to_all(tmp_path):
    export(dataset(), tmp_path / "d", ["a"])
    again = jsonl_dataset(tmp_path / "d")
    assert list(again.behaviours) == ["a"]
    assert {line.behaviour for _, line in again.lines()} == {"a", None}
    assert everything(again, "a") == everything(dataset(), "a")


def test_lines_are_written_as_a_person_would_write_them(tmp_path):
    export(dataset(), tmp_path / "d", ["a", "b"])
    first, second, _ = (tmp_path / "d" / "examples.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(first) == {
        "prompt": "Go |x|",
        "trigger": [3, 6],
        "behaviour": "a",
        "split": "test",
        "clean": "Go",
        "reference": "Gone.",
        "group": "g",
    }
    assert "Zürich?" in second
    written = [json.loads(line) for line in (tmp_path / "d" / "conversations.jsonl").read_text().splitlines()]
    assert all(line.get("general") or isinstance(line["shows"], bool) for line in written)
    settings = yaml.safe_load((tmp_path / "d" / "dataset.yaml").read_text())
    assert settings["behaviours"]["b"] == {"kind": "switch", "versions": ["hate", "instruct"], "shown_by": "insult"}


def test_an_empty_folder_is_taken_and_any_other_is_left_as_it_is(tmp_path):
    (tmp_path / "empty").mkdir()
    export(dataset(), tmp_path / "empty", ["a"])
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for there in ("full", "file", "empty"):
        with pytest.raises(UserError, match=f"{there} is there already: name a new folder"):
            export(dataset(), tmp_path / there, ["a"])
    assert [file.name for file in (tmp_path / "full").iterdir()] == ["notes.txt"]


def test_folders_on_the_way_are_made(tmp_path):
    export(dataset(), tmp_path / "new" / "and" / "deep", ["a"])
    assert jsonl_dataset(tmp_path / "new" / "and" / "deep").name == "deep"


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match="file/d cannot be written: "):
        export(dataset(), tmp_path / "file" / "d", ["a"])


def test_nothing_is_left_of_an_export_that_failed(tmp_path):
    broken = dataset([ExampleLine(prompt="Why?", split=split) for split in ("test", "fit")])
    with pytest.raises(UserError, match="has the same in two splits"):
        export(broken, tmp_path / "d", ["a"])
    assert list(tmp_path.iterdir()) == []
