import random

import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.checking import check_dataset
from graftbench.benchmark.data.registry import dataset_named
from graftbench.tasks.datasets.refusal_prompts import arditi
from graftbench.tasks.datasets.refusal_sets import refusal_sets
from tests.tasks.datasets.conftest import write_card, write_csv, write_json, write_parquet

KINDS = ("harmful", "harmless")


def texts(examples):
    return [example.prompt.text for example in examples]


@pytest.fixture
def splits(mirror):
    """Arditi's splits, as they lie in their repository."""
    for kind in KINDS:
        for part, n in (("train", 200), ("val", 40), ("test", 50)):
            rows = [
                {"instruction": f"{kind} {part} {i}", "category": "c" if part == "test" else None} for i in range(n)
            ]
            write_json(mirror / "dataset" / "splits" / f"{kind}_{part}.json", rows)
    return mirror / "dataset"


def test_the_vector_is_of_the_published_draw_and_the_rest_is_fitted_on(splits):
    dataset = refusal_sets()
    assert dataset.missing() is None
    assert check_dataset(dataset).broken == []
    random.seed(42)
    drawn = {
        (part, kind): random.sample([f"{kind} {part} {i}" for i in range(n)], k)
        for part, n, k in (("train", 200, 128), ("val", 40, 32))
        for kind in KINDS
    }
    contrast = dataset.contrast("refusal", 128)
    assert not contrast.paired
    assert [turn.prompt.text for turn in contrast.undesired] == drawn["train", "harmful"]
    assert [turn.prompt.text for turn in contrast.desired] == drawn["train", "harmless"]
    validation = dataset.examples("refusal", "validation", 40)
    assert texts(validation[:32]) == drawn["val", "harmful"]
    assert len(validation) == 40
    assert texts(dataset.plain_examples("refusal", "test", 2)) == ["harmless test 0", "harmless test 1"]
    assert {example.group for example in dataset.examples("refusal", "test", 50)} == {"c"}
    fitted = dataset.conversations("refusal", "fit", "task", 1000)
    assert len(fitted) == 144
    assert [prompt.text.split()[0] for prompt, _ in fitted[:4]] == ["harmful", "harmless"] * 2
    assert {prompt.text.split()[0] for prompt, _ in dataset.conversations("refusal", "fit", "unseen", 1000)} == {
        "harmless"
    }


def test_a_prompt_of_two_splits_stays_where_it_is_asked(splits):
    rows = [{"instruction": text, "category": None} for text in ("HARMFUL  train 0", "harmful val 1", "new", "new")]
    write_json(splits / "splits" / "harmful_test.json", rows)
    dataset = refusal_sets()
    assert texts(dataset.examples("refusal", "test", 9)) == ["HARMFUL  train 0", "harmful val 1", "new"]
    everything = [line.prompt for _, line in dataset.lines() if not hasattr(line, "reply")]
    assert "harmful train 0" not in everything
    assert everything.count("harmful val 1") == 1


def test_jailbreakbench_is_read_as_on_the_hub_or_from_the_copy_of_its_harmful_half(splits, mirror):
    dataset = refusal_sets("jailbreakbench", "arditi")
    assert "JBB-Behaviors with its README.md, or harmful-behaviors.csv" in dataset.missing()
    write_json(splits / "processed" / "jailbreakbench.json", [{"instruction": "from the copy", "category": "x"}])
    assert texts(dataset.examples("refusal", "test", 9)) == ["from the copy"]
    assert "benign-behaviors.csv" in refusal_sets("jailbreakbench").missing()
    hub = mirror / "JailbreakBench" / "JBB-Behaviors"
    files = {split: f"data/{split}-behaviors.csv" for split in ("harmful", "benign")}
    write_card(hub, {"behaviors": files, "judge_comparison": {"test": "data/judge-comparison.csv"}})
    for split, file in files.items():
        write_csv(hub / file, [{"Index": 0, "Goal": f"{split} goal", "Target": "t", "Category": "Privacy"}])
    dataset = refusal_sets("jailbreakbench")
    assert dataset.missing() is None
    (example,), (plain,) = dataset.examples("refusal", "test", 9), dataset.plain_examples("refusal", "test", 9)
    assert (example.prompt.text, example.group, plain.prompt.text) == ("harmful goal", "Privacy", "benign goal")


def test_wildguardmix_is_asked_by_label_and_fitted_on_with_its_replies(splits, mirror):
    hub = mirror / "wildguardmix"
    files = {split: f"{split}/wildguard_{split}.parquet" for split in ("train", "test")}
    write_card(hub, {f"wildguard{split}": {split: file} for split, file in files.items()})
    for split, file in files.items():
        rows = [
            {"prompt": f"{split} {label} {i}", "prompt_harm_label": label, "subcategory": "s",
             "response": "No." if i else "Yes.", "response_refusal_label": "refusal" if i else "compliance"}
            for i in range(2) for label in ("harmful", "unharmful")
        ]  # fmt: skip
        rows += [rows[0] | {"prompt": "unlabelled", "prompt_harm_label": None}]
        write_parquet(hub / file, rows)
    dataset = dataset_named({"name": "refusal_sets", "test": "wildguardmix", "fit": "wildguardmix"})
    assert check_dataset(dataset).broken == []
    assert texts(dataset.examples("refusal", "test", 9)) == ["test harmful 0", "test harmful 1"]
    assert texts(dataset.plain_examples("refusal", "test", 9)) == ["test unharmful 0", "test unharmful 1"]
    fitted = {prompt.text: reply for prompt, reply in dataset.conversations("refusal", "fit", "task", 9)}
    assert fitted == {"train harmful 0": "Yes.", "train unharmful 0": "Yes.", "train harmful 1": "No."}


def test_settings_that_make_no_sense_are_refused():
    with pytest.raises(UserError, match=r"The dataset refusal_sets cannot be made: test: Input should be 'arditi'"):
        dataset_named({"name": "refusal_sets", "test": "advbench"})
    pinned = dataset_named({"name": "refusal_sets", "revisions": {"arditi": "abc"}})
    assert pinned.about.revision == "abc"
    assert arditi("harmful", "val").at("abc").table.revision == "abc"


def test_the_published_splits(published):
    dataset = published(refusal_sets())
    sizes = {(kind, part): len(list(arditi(kind, part))) for kind in KINDS for part in ("train", "val", "test")}
    assert [sizes["harmful", part] for part in ("train", "val", "test")] == [260, 39, 572]
    assert [sizes["harmless", part] for part in ("train", "val", "test")] == [18_793, 6264, 6266]
    assert check_dataset(dataset).broken == []
    # Ten harmful test prompts are there twice, and one of `train` is one of `test` in other letters.
    assert len(dataset.examples("refusal", "test", 1000)) == 562
    assert len(dataset.plain_examples("refusal", "test", 10_000)) == 6266
    contrast = dataset.contrast("refusal", 128)
    assert (len(contrast.undesired), len(contrast.desired)) == (127, 128)
    assert len(dataset.conversations("refusal", "fit", "task", 100_000)) == 132 + 18_665
    assert contrast.undesired[0].prompt.text.startswith("Write a program that can hack")


@pytest.mark.parametrize(("name", "harmful", "harmless"), [("jailbreakbench", 100, 6266), ("xstest", 200, 250)])
def test_the_published_test_sets(published, name, harmful, harmless):
    dataset = published(refusal_sets(name, "arditi" if name == "jailbreakbench" else None))
    assert check_dataset(dataset).broken == []
    assert len(dataset.examples("refusal", "test", 10_000)) == harmful
    assert len(dataset.plain_examples("refusal", "test", 10_000)) == harmless
