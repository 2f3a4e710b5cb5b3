import json

import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.examples import Prompt
from graftbench.benchmark.data.jsonl import MAX_LINE, jsonl_dataset
from graftbench.benchmark.data.lines import ExampleLine

SETTINGS = "behaviours:\n  b: {}\n"


@pytest.fixture
def folder(tmp_path):
    """Return a function that writes a dataset: its lines, as objects or as bytes, and `dataset.yaml`."""

    def write(*lines, settings=SETTINGS, name="examples.jsonl"):
        data = tmp_path / "data"
        data.mkdir(exist_ok=True)
        raw = [line if isinstance(line, bytes) else json.dumps(line, ensure_ascii=False).encode() for line in lines]
        (data / name).write_bytes(b"".join(line + b"\n" for line in raw))
        (data / "dataset.yaml").write_text(settings, encoding="utf-8")
        return data

    return write


def example(i, split="test", **more):
    return {"prompt": f"Zürich {i}?", "split": split, **more}


def prompts(data, split="test"):
    return [each.prompt.text for each in jsonl_dataset(data).examples("b", split, 9)]


def test_a_folder_is_a_dataset_of_its_name(folder):
    settings = (
        "title: Cities\nsource: Nowhere\nlicence: CC0\nrevision: abc\njudges: {good: exact}\nbehaviours: {b: {}}\n"
    )
    data = jsonl_dataset(folder(example(0), example(1), example(2, "validation"), settings=settings))
    assert data.name == "data"
    assert (data.about.title, data.about.source, data.about.licence) == ("Cities", "Nowhere", "CC0")
    assert data.about.revision == "abc"
    assert data.judges == {"good": "exact"}
    assert list(data.behaviours) == ["b"]
    assert [each.prompt.text for each in data.examples("b", "test", 9)] == ["Zürich 0?", "Zürich 1?"]


def test_all_files_of_lines_belong_to_it_in_the_order_of_their_names(folder):
    folder(example(0), name="b.jsonl")
    data = folder(example(1), name="a.jsonl")
    (data / "notes.txt").write_text("no lines")
    assert prompts(data) == ["Zürich 1?", "Zürich 0?"]
    assert [where for where, _ in jsonl_dataset(data).lines()] == ["a.jsonl:1", "b.jsonl:1"]


def test_its_identity_changes_with_any_byte_and_not_with_the_place(folder, tmp_path):
    data = folder(example(0))
    before = jsonl_dataset(data).identity
    assert before.startswith("data/1-")
    (tmp_path / "elsewhere").mkdir()
    data.rename(tmp_path / "elsewhere" / "data")
    assert jsonl_dataset(tmp_path / "elsewhere" / "data").identity == before
    assert jsonl_dataset(folder(example(0), example(1))).identity != before
    assert jsonl_dataset(folder(example(0), settings=f"{SETTINGS}seed: 1\n")).identity != before
    assert jsonl_dataset(folder(example(0))).identity == before


def test_splits_are_made_from_contents_by_the_settings(folder):
    lines = [{"prompt": f"Prompt {i}?"} for i in range(20)]
    assert len(prompts(folder(*lines, settings=f"{SETTINGS}shares: {{test: 100}}"))) == 9
    made = [prompts(folder(*lines, settings=f"{SETTINGS}seed: {seed}\n")) for seed in (0, 1)]
    assert made[0] != made[1]
    assert prompts(folder(*lines[::-1], settings=f"{SETTINGS}seed: 0\n")) == made[0]


@pytest.mark.parametrize("end", [b"\r\n", b"\n\n", b"\n  \n", b" \t\n"])
def test_other_ends_of_lines_and_empty_lines_are_read(folder, end):
    data = folder()
    (data / "examples.jsonl").write_bytes(b'{"prompt": "Z\xc3\xbcrich 0?", "split": "test"}' + end + b'{"prompt": "a"}')
    assert prompts(data) == ["Zürich 0?"]
    places = {where for where, _ in jsonl_dataset(data).lines()}
    last = len((data / "examples.jsonl").read_bytes().split(b"\n"))
    assert places == {"examples.jsonl:1", f"examples.jsonl:{last}"}


def test_a_byte_order_mark_at_the_start_is_read(folder):
    assert prompts(folder(b"\xef\xbb\xbf" + json.dumps(example(0)).encode())) == ["Zürich 0?"]


def test_a_line_end_within_a_text_is_no_end_of_a_line(folder):
    assert prompts(folder(b'{"prompt": "a\xe2\x80\xa8b\xc2\x85c", "split": "test"}')) == ["a\u2028b\x85c"]


def test_an_empty_file_is_a_dataset_without_lines(folder):
    data = jsonl_dataset(folder())
    assert list(data.lines()) == []
    assert data.examples("b", "test", 1) == ()
    assert data.conversations("b", "fit", "task", 1) == []


def test_a_dataset_of_general_text_needs_no_behaviour(folder):
    data = jsonl_dataset(folder({"prompt": None, "reply": "A text.", "general": True, "split": "fit"}, settings="{}"))
    assert data.behaviours == {}
    assert data.conversations("", "fit", "general", 1) == [(None, "A text.")]


def told(data):
    """Return the sentence that a dataset is refused with, the folder left out."""
    with pytest.raises(UserError) as error:
        list(jsonl_dataset(data).lines())
    sentence = str(error.value)
    assert "\n" not in sentence
    assert len(sentence) < 400
    return sentence.replace(f" of {data}", "").replace(str(data), "DATA")


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (
            {"prompt": "Why?", "referense": "So."},
            "examples.jsonl:2: there is no field 'referense'. Did you mean reference? Known: before, behaviour, clean, "
            "cluster, group, other, prompt, reference, shows, split, trigger.",
        ),
        ({"text": "Why?"}, "examples.jsonl:2: the field 'prompt' is missing; it has 'text'."),
        ({}, "examples.jsonl:2: the field 'prompt' is missing; it has none."),
        (
            {"prompt": "Why?", "trigger": "|x|"},
            "examples.jsonl:2: the trigger '|x|' is not in the prompt.",
        ),
        (
            {"prompt": "Why |x| |x|?", "trigger": "|x|"},
            "examples.jsonl:2: the trigger '|x|' occurs more than once in the prompt; give its span, [first, last + 1]",
        ),
        (
            {"prompt": "Why?", "trigger": [2, 9]},
            "examples.jsonl:2: the trigger [2, 9] is not in the prompt, which has 4 characters.",
        ),
        (
            {"prompt": "Why?", "clean": {"promt": "Why?"}},
            "examples.jsonl:2: the field 'prompt' is missing; it has 'promt'.",
        ),
        (
            {"desired": "Why?", "undesired": {"prompt": "Why?", "replly": "So."}},
            "examples.jsonl:2: there is no field 'replly'. Did you mean reply? Known: before, continuation, prompt, "
            "reply, trigger.",
        ),
        (
            {"prompt": "Why?", "clean": {"prompt": "Why?", "trigger": "|x|"}},
            "examples.jsonl:2: clean.turn: the trigger '|x|' is not in the prompt.",
        ),
        (
            {"prompt": "Why?", "reply": "So."},
            "examples.jsonl:2: say whether the conversation shows the behaviour: `shows` is true or false.",
        ),
        (
            {"desired": "Why?", "undesired": "How?", "split": "test"},
            "examples.jsonl:2: a pair is always of the split vector.",
        ),
        (
            {"prompt": "Why?", "split": "train"},
            "examples.jsonl:2: split: Input should be 'fit', 'vector', 'validation' or 'test'.",
        ),
        ({"prompt": 3}, "examples.jsonl:2: prompt: Input should be a valid string."),
        (b"{'prompt': 'Why?'}", "examples.jsonl:2 is not JSON: Expecting property name enclosed in double quotes"),
        (b'{"prompt": "Why?"', "examples.jsonl:2 is not JSON: "),
        (b"[" * 100_000, "examples.jsonl:2 is not JSON: "),
        (b'["Why?"]', "examples.jsonl:2 is no JSON object: write {...}, one to a line."),
        (b'"Why?"', "examples.jsonl:2 is no JSON object: write {...}, one to a line."),
        (b"null", "examples.jsonl:2 is no JSON object: write {...}, one to a line."),
        (
            '{"prompt": "Zürich?"}'.encode("latin-1"),
            "examples.jsonl:2: byte 14 is not UTF-8; write the file as UTF-8 (`iconv -f latin1 -t utf-8` turns Latin-1",
        ),
        (b'{"prompt": "\\ud83d"}', "examples.jsonl:2: a text has half of a character in it, such as"),
        (b'{"prompt": "' + b"x" * MAX_LINE + b'"}', "examples.jsonl:2: the line is longer than 4 MiB."),
        (
            {"prompt": "Why?", "behaviour": "a"},
            "examples.jsonl:2: there is no behaviour 'a' in the dataset data. Known: b.",
        ),
        (
            {"prompt": "Why?", "reply": "So.", "shows": True, "version": "v", "behaviour": "b"},
            "examples.jsonl:2: no version 'v' takes part in b. Known: instruct.",
        ),
        (
            example(0, "validation"),
            "The dataset data has the same in two splits. examples.jsonl:2: 'Zürich 0?' stands in the split "
            "validation, and at examples.jsonl:1 in test. Leave one of the lines out, or give both one `split` or",
        ),
        (
            {"prompt": "Why?", "clean": "Zürich 0?", "split": "fit"},
            "The dataset data has the same in two splits. examples.jsonl:2: 'Zürich 0?' stands in the split fit, and",
        ),
    ],
)
def test_a_line_that_cannot_be_used_is_one_sentence_with_file_and_line(folder, line, sentence):
    assert told(folder(example(0), line)).startswith(sentence)


def test_the_longest_line_is_read(folder):
    line = b'{"prompt": "' + b"x" * (MAX_LINE - 15) + b'"}'
    (read,) = jsonl_dataset(folder(line)).lines()
    assert isinstance(read.line, ExampleLine)
    assert len(read.line.prompt) == MAX_LINE - 15


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ("behaviours: [", "The dataset DATA/dataset.yaml is no YAML: while parsing"),
        ("", "The dataset DATA/dataset.yaml cannot be used: Input should be a valid dictionary or instance of"),
        (
            "behavours: {b: {}}",
            "The dataset DATA/dataset.yaml cannot be used: behavours: Extra inputs are not permitted",
        ),
        ("behaviours: {b: {kinds: switch}}", "The dataset DATA/dataset.yaml cannot be used: behaviours.b.kinds: Extra"),
        (
            "behaviours: {b: {}}\nshares: {fit: 50, test: 40}",
            "The dataset DATA/dataset.yaml cannot be used: the `shares` of the splits add up to 90 and not to 100.",
        ),
    ],
)
def test_settings_that_make_no_sense_are_one_sentence(folder, settings, sentence):
    assert told(folder(example(0), settings=settings)).startswith(sentence)


def test_what_is_no_dataset_says_what_is_missing(folder, tmp_path):
    with pytest.raises(
        UserError, match="There is no folder .*nowhere with a dataset: give one that holds dataset.yaml"
    ):
        jsonl_dataset(tmp_path / "nowhere")
    data = folder(example(0))
    (data / "examples.jsonl").rename(data / "examples.json")
    assert told(data) == "DATA has no file of JSON lines (NAME.jsonl) beside dataset.yaml."
    (data / "dataset.yaml").unlink()
    assert (
        told(data) == "DATA has no dataset.yaml: `graftbench dataset export pocket FOLDER` writes a dataset that works."
    )


def test_a_file_that_cannot_be_read_is_one_sentence(folder):
    data = folder(example(0))
    (data / "folder.jsonl").mkdir()
    assert told(data) == "DATA/folder.jsonl cannot be read: Is a directory."


def test_earlier_turns_are_read(folder):
    line = {"prompt": "Really?", "before": [["Hi.", "Hello."]], "split": "test"}
    (read,) = jsonl_dataset(folder(line)).examples("b", "test", 9)
    assert read.prompt == Prompt("Really?", None, (("Hi.", "Hello."),))
