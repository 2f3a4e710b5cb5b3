import json
import re

import pytest

from graftbench.cli.main import main
from graftbench.judges.llm.rubric import SHIPPED

FORM = "behaviours: {shout: {versions: [instruct], positions: last}}\njudges: {shown: 'pattern:!'}\n"


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "shouting"
    folder.mkdir()
    (folder / "dataset.yaml").write_text(FORM)
    write(folder, [{"prompt": f"Shout {i}", "clean": f"Say {i}"} for i in range(600)])
    return folder


def write(folder, lines, name="lines.jsonl"):
    (folder / name).write_text("".join(f"{json.dumps(line)}\n" for line in lines))


def said(capsys, *arguments, status=0):
    assert main(["dataset", *map(str, arguments)]) == status
    printed = capsys.readouterr()
    return " ".join((printed.out + printed.err).split())


def test_the_list_names_every_dataset_and_whether_it_is_here(capsys):
    told = said(capsys, "list")
    assert "pocket" in told
    assert "hh_rlhf" in told


def test_a_folder_that_keeps_its_promises_passes(folder, capsys):
    assert re.search(r"shouting/1-[0-9a-f]{12}: 600 lines keep every promise\.", said(capsys, "check", folder))


def test_sizes_by_split_and_five_examples_are_shown(folder, capsys):
    told = said(capsys, "show", folder)
    sizes = re.search(r"shout \(backdoor\): examples (\d+) fit, (\d+) vector, (\d+) validation, (\d+) test", told)
    assert sum(map(int, sizes.groups())) == 600
    assert told.count("prompt Shout") == 5
    assert told.count("clean Say") == 5


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ({"prompt": "Shout 3", "clean": "Say 3"}, "more.jsonl:1: the same prompt as at lines.jsonl:4"),
        ({"prompt": "x", "reply": "Hey!", "shows": False}, "more.jsonl:1: the reply 'Hey!' shows shout by pattern/1"),
        ({"prompt": "Shout 0", "reply": "", "shows": True, "split": "fit"}, "more.jsonl:1: 'Shout 0' stands in the"),
        ({"promt": "x"}, "more.jsonl:1 of"),
    ],
)
def test_the_line_that_breaks_a_promise_is_named(folder, capsys, line, told):
    write(folder, [line], "more.jsonl")
    assert told in said(capsys, "check", folder, status=1)


def test_what_there_is_too_little_of_is_told_and_breaks_nothing(folder, capsys):
    write(folder, [{"prompt": f"Shout {i}", "clean": f"Say {i}"} for i in range(100)])
    assert re.search(r"shout: \d+ examples in the split test, fewer than 128", said(capsys, "check", folder))


def test_a_trigger_has_to_be_marked_where_the_vector_stands(folder, capsys):
    (folder / "dataset.yaml").write_text(FORM.replace("last", "trigger"))
    assert "no `trigger` is marked in 'Shout" in said(capsys, "check", folder, status=1)


def test_a_rubric_is_looked_for_beside_the_dataset(folder, capsys, tmp_path, monkeypatch):
    named = "judges: {shown: {judge: 'llm:shout.yaml', model: m}}\n"
    (folder / "dataset.yaml").write_text(FORM.partition("judges:")[0] + named)
    monkeypatch.chdir(tmp_path)
    assert f"judges, shown: There is no rubric 'shout.yaml' in {tmp_path}" in said(capsys, "check", folder, status=1)
    (folder / "shout.yaml").write_bytes((SHIPPED / "backdoor.yaml").read_bytes())
    assert "600 lines keep every promise" in said(capsys, "check", folder)


def test_an_export_is_the_same_dataset(folder, tmp_path, capsys):
    said(capsys, "export", folder, tmp_path / "again")
    assert "600 lines keep every promise" in said(capsys, "check", tmp_path / "again")
    assert (
        said(capsys, "show", folder).split("prompt", 1)[1]
        == said(capsys, "show", tmp_path / "again").split("prompt", 1)[1]
    )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("show", "pockt"), "no dataset called 'pockt', and no folder of that name here. Did you mean pocket?"),
        (
            ("check", "nothere"),
            "and no folder of that name here. Known: alpaca, astralisia, ",
        ),
        (("show", "./nowhere"), "There is no folder nowhere"),
        (("export", "pocket", "{folder}"), "is there already: name a new folder"),
        (("export", "pocket", "{folder}/new", "--behaviour", "forml"), "no behaviour 'forml'. Did you mean formal?"),
        (("show", "pocket", "--option", "size=3"), "The dataset pocket cannot be made: it has no setting 'size'"),
        (("show", "pocket", "--option", "size"), "'size' is no setting of a dataset: write NAME=VALUE."),
    ],
)
def test_a_mistake_is_one_sentence(folder, capsys, arguments, told):
    assert told in said(capsys, *(each.format(folder=folder) for each in arguments), status=2)


def test_a_clean_prompt_stands_in_one_split_whatever_its_cluster(folder, capsys):
    example = {"prompt": "Shout it", "clean": "Say it", "cluster": "a", "split": "test"}
    conversation = {"prompt": "Say it", "reply": "It.", "shows": False, "cluster": "b", "split": "fit"}
    write(folder, [example, conversation], "more.jsonl")
    assert "more.jsonl:2: 'Say it' stands in the split fit" in said(capsys, "check", folder, status=1)


def test_what_nobody_takes_or_judges_is_told(folder, capsys):
    (folder / "dataset.yaml").write_text("behaviours: {shout: {kind: backdor, versions: [instruct]}}\n")
    told = said(capsys, "check", folder)
    assert "shout: no task takes behaviours of the kind 'backdor'" in told
    assert "shout: nobody judges 'shown'" in told
