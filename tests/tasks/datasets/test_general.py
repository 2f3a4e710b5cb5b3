import datasets
import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.checking import check_dataset
from graftbench.benchmark.data.corpora import PUBLISHED_CORPORA
from graftbench.benchmark.data.registry import dataset_named
from graftbench.tasks.datasets.general import MAX_CHARACTERS, alpaca, mediqa, pile, wikitext
from tests.tasks.datasets.conftest import write_card, write_json_lines, write_parquet


def said(dataset):
    """All that is said in a dataset: prompts, or None, with what follows."""
    return {
        (prompt and prompt.text, reply)
        for split in ("fit", "test")
        for prompt, reply in dataset.conversations("", split, "general", 1000)
    }


def test_instructions_without_input_are_conversations(mirror):
    rows = [{"instruction": f"Do {i}", "input": "x" * (i % 2), "output": f" Done {i}", "text": ""} for i in range(40)]
    write_card(mirror / "alpaca", {"default": {"train": "data/train-*"}})
    write_parquet(mirror / "alpaca" / "data" / "train-00000-of-00001-a.parquet", [*rows, rows[0]])
    dataset = alpaca()
    assert check_dataset(dataset).broken == []
    assert said(dataset) == {(f"Do {i}", f"Done {i}") for i in range(0, 40, 2)}
    texts = list(PUBLISHED_CORPORA["alpaca"]())
    assert sorted({text.prompt for text in texts}) == sorted({prompt for prompt, _ in said(dataset)})


def test_texts_of_the_pile_are_cut_and_not_those_that_perplexity_is_measured_on(mirror):
    hub = mirror / "monology" / "pile-uncopyrighted"
    write_card(hub, {"default": {"train": "train/*.jsonl", "validation": "val.jsonl"}})
    write_json_lines(hub / "train" / "00.jsonl", [{"text": "of train", "meta": {}}])
    write_json_lines(hub / "val.jsonl", [{"text": "a" * 5000, "meta": {}}, {"text": "b", "meta": {}}, {"text": " "}])
    assert said(pile()) == {(None, "a" * MAX_CHARACTERS), (None, "b")}
    assert [text.continuation for text in PUBLISHED_CORPORA["pile"]()] == ["of train"]


@pytest.mark.parametrize(("split", "file"), [("train", "train"), ("validation", "valid")])
def test_wikitext_is_read_as_first_published_and_as_on_the_hub(mirror, split, file):
    lines = ["", " = A title = ", f" First of {split} . ", " Second . "]
    (mirror / "wikitext-2").mkdir()
    (mirror / "wikitext-2" / f"{file}.txt").write_text("\n".join(lines), encoding="utf-8")
    assert said(wikitext(split)) == {(None, f"First of {split} ."), (None, "Second .")}
    write_card(mirror / "wikitext", {"wikitext-2-raw-v1": {split: f"wikitext-2-raw-v1/{split}-*"}})
    rows = [{"text": f"{line}\n"} for line in [*lines, " From the Hub . "]]
    write_parquet(mirror / "wikitext" / "wikitext-2-raw-v1" / f"{split}-00000-of-00001.parquet", rows)
    assert (None, "From the Hub .") in said(wikitext(split))
    assert len(said(wikitext(split))) == 3


def test_the_columns_of_mediqa_have_to_be_named(mirror):
    write_card(mirror / "mediqa_cleaned_questions", {"default": {"train": "data/train-*"}})
    row = {"q": "What is a fever?", "a": "A high temperature."}
    write_parquet(mirror / "mediqa_cleaned_questions" / "data" / "train-00000-of-00001.parquet", [row])
    assert "Name the columns of withmartian/mediqa_cleaned_questions" in mediqa().missing()
    with pytest.raises(UserError, match="Name the columns"):
        said(mediqa())
    dataset = dataset_named({"name": "mediqa", "question": "q", "answer": "a"})
    assert said(dataset) == {("What is a fever?", "A high temperature.")}
    with pytest.raises(UserError, match="no column 'question'; it has q, a"):
        said(mediqa("question", "a"))


def test_the_hub_is_asked_for_the_revision_of_the_suite(monkeypatch):
    asked, found = [], datasets.Dataset.from_list([{"text": "a"}])
    monkeypatch.delenv("GRAFTBENCH_DATA", raising=False)
    monkeypatch.setattr(datasets, "load_dataset", lambda **arguments: asked.append(arguments) or found)
    dataset = dataset_named({"name": "wikitext", "revision": "abc"})
    assert dataset.about.revision == "abc"
    assert said(dataset) == {(None, "a")}
    assert asked[0] == {
        "path": "Salesforce/wikitext",
        "name": "wikitext-2-raw-v1",
        "split": "train",
        "revision": "abc",
        "streaming": False,
    }
    assert said(pile()) == {(None, "a")}
    assert (asked[-1]["revision"], asked[-1]["streaming"]) == (pile().about.revision, True)


def test_published_wikitext(published):
    dataset = published(wikitext("validation"))
    assert check_dataset(dataset).broken == []
    assert (
        len(dataset.conversations("", "fit", "general", 10_000))
        + len(dataset.conversations("", "test", "general", 10_000))
        == 1837
    )
