"""Datasets of a suite: which one a task reads, and what has to be in it before anything runs."""

import json
import shutil

import pytest
import yaml

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.runs.plan import dataset_of, planned
from graftbench.benchmark.runs.suite import Suite, read_suite

CELL = {"variant": "insults", "pair": "llama-s->llama-m", "sites": [2, 4]}
LINES = [
    {"prompt": "Why?", "clean": "How?", "split": "vector"},
    {"prompt": "When?", "split": "validation"},
    {"prompt": "Where?", "split": "test"},
    {"prompt": "Who?", "reply": "I.", "shows": False, "split": "fit"},
    {"prompt": None, "reply": "A text.", "general": True, "split": "fit"},
]
FORM = {"behaviours": {"insults": {"versions": ["hate"], "shown_by": "insult"}}}


@pytest.fixture
def suite(tmp_path):
    """Return a function that writes a suite of one task beside a dataset, and reads it."""

    def write(lines=LINES, form=FORM, folder="suite", **more):
        here = tmp_path / folder
        (here / "data").mkdir(parents=True, exist_ok=True)
        (here / "data" / "lines.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
        (here / "data" / "dataset.yaml").write_text(yaml.safe_dump(form))
        task = {"dataset": {"jsonl": "data"}, "judges": {"good": "exact"}, "cells": [CELL]} | more.pop("task", {})
        written = {
            "name": "mine",
            "max_new_tokens": 8,
            "models": {
                "llama-s": {"hate": {"model": "llama-s-hate"}},
                "llama-m": {"hate": {"model": "llama-m-hate"}},
            },
            "tasks": {"backdoor_removal": {name: value for name, value in task.items() if value is not None}},
        }
        (here / "mine.yaml").write_text(yaml.safe_dump(written | more))
        return read_suite(str(here / "mine.yaml"))

    return write


def refused(suite):
    with pytest.raises(UserError) as error:
        planned(suite, deterministic=True)
    assert "\n" not in str(error.value)
    return str(error.value)


def without(**wanted):
    """Return the lines without those that have these fields."""
    return [line for line in LINES if any(line.get(name) != value for name, value in wanted.items())]


def test_a_suite_in_a_file_names_a_dataset_for_every_task(suite):
    with pytest.raises(UserError, match=r"backdoor_removal: name a `dataset`, such as pocket or \{jsonl: FOLDER\}"):
        suite(task={"dataset": None})


def test_a_stored_suite_of_former_versions_has_the_pocket_dataset(suite):
    stored = json.loads(suite(task={"dataset": "pocket"}).model_dump_json())
    del stored["tasks"]["backdoor_removal"]["dataset"]
    assert dataset_of(Suite.model_validate_json(json.dumps(stored)), "backdoor_removal").name == "pocket"


def test_a_folder_of_json_lines_is_found_from_the_file_of_the_suite(suite, tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    mine = suite()
    assert mine.tasks["backdoor_removal"].dataset == {"jsonl": str(tmp_path / "suite" / "data")}
    assert dataset_of(mine, "backdoor_removal").name == "data"
    assert [cell.track for cell in planned(mine, deterministic=True)] == ["task", "unseen", "general"]


def test_the_place_of_a_stored_suite_does_not_matter(suite, tmp_path):
    stored = Suite.model_validate_json(suite().model_dump_json())
    assert stored.tasks["backdoor_removal"].dataset == {"jsonl": str(tmp_path / "suite" / "data")}


def test_the_hash_does_not_depend_on_where_a_folder_lies_but_on_its_name(suite, tmp_path):
    here, there = suite(general={"jsonl": "data"}), suite(folder="there/deep", general={"jsonl": "data"})
    assert here.hash == there.hash
    assert here.tasks["backdoor_removal"].dataset != there.tasks["backdoor_removal"].dataset
    shutil.copytree(tmp_path / "suite" / "data", tmp_path / "suite" / "other")
    assert suite(general={"jsonl": "data"}, task={"dataset": {"jsonl": "other"}}).hash != here.hash
    assert suite(general={"jsonl": "other"}).hash != here.hash
    assert suite().hash != here.hash


def test_a_dataset_with_other_settings_is_another_suite(suite):
    hashes = {
        suite(task={"dataset": named}).hash
        for named in ("pocket", "hh_rlhf", {"name": "hh_rlhf", "n": 1}, {"name": "hh_rlhf", "n": 2})
    }
    assert len(hashes) == 4


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"task": {"dataset": "poket"}}, "There is no dataset called 'poket'. Did you mean pocket?"),
        ({"task": {"dataset": {"jsonl": "date"}}}, "date with a dataset: give one that holds dataset.yaml"),
        ({"task": {"dataset": {"json": "data"}}}, "A dataset is a name, or {jsonl: FOLDER}, and not {'json': 'data'}."),
        ({"general": "poket"}, "There is no dataset called 'poket'. Did you mean pocket?"),
        (
            {"task": {"cells": [CELL | {"variant": "insult"}]}},
            "The task backdoor_removal has no variant 'insult' on the dataset data. Did you mean insults?",
        ),
        ({"task": {"judges": {}}, "form": FORM | {"judges": {"good": "exakt"}}}, "exakt"),
    ],
)
def test_a_dataset_that_cannot_be_had_is_one_sentence(suite, more, told):
    assert told in refused(suite(**more))


@pytest.mark.parametrize("split", ["validation", "test"])
def test_a_split_without_examples_is_one_sentence(suite, split):
    assert refused(suite(without(split=split))) == f"The dataset data has no example of insults in the split {split}."


def test_a_dataset_without_a_contrast_is_one_sentence(suite):
    assert refused(suite(without(split="vector"))) == (
        "The dataset data has no contrast of insults: write pairs, or in the split vector examples with `clean`."
    )


def test_a_refusal_needs_harmless_examples_and_takes_no_sites(suite):
    behaviour = {"kind": "refusal", "shown_by": "refused", "refusals": ["No."]}
    plain = [line | {"shows": False, "prompt": f"{line['prompt']} And?"} for line in LINES[:3]]
    task = {"dataset": {"jsonl": "data"}, "judges": {"good": "exact"}, "cells": [CELL | {"variant": "ablation"}]}
    models = {family: {"instruct": {"model": f"{family}-instruct"}} for family in ("llama-s", "llama-m")}
    more = {"form": {"behaviours": {"insults": behaviour}}, "models": models}
    assert "chooses its sites itself" in refused(suite(tasks={"refusal_ablation": task}, **more))
    del task["cells"][0]["sites"]
    assert refused(suite(tasks={"refusal_ablation": task}, **more)) == (
        "The dataset data has no plain example (`shows: false`) beside insults in the split validation."
    )
    assert planned(suite(LINES + plain, tasks={"refusal_ablation": task}, **more), deterministic=True)


def test_a_track_without_conversations_is_one_sentence(suite):
    shown = [line | {"shows": True} if line.get("reply") == "I." else line for line in LINES]
    assert refused(suite(shown)) == "The dataset data has no conversation to fit on for the track unseen."
    assert refused(suite(without(reply="I."))) == "The dataset data has no conversation to fit on for the track task."
    assert refused(suite(without(general=True))) == (
        "The dataset data has no conversation to fit on for the track general. Name one for it, such as "
        "`general: alpaca`, in the suite."
    )


def test_only_the_tracks_of_a_cell_need_conversations(suite):
    task = {"cells": [CELL | {"tracks": ["task", "unseen"]}]}
    assert len(planned(suite(without(general=True), task=task), deterministic=True)) == 2


def test_general_text_may_come_from_another_dataset(suite):
    cells = planned(suite(without(general=True), general="pocket"), deterministic=True)
    assert [cell.track for cell in cells] == ["task", "unseen", "general"]
    nothing = suite(without(general=True), general={"jsonl": "data"})
    assert "The dataset data has no conversation to fit on for the track general." in refused(nothing)


def test_a_dataset_with_nothing_for_a_task_says_what_it_has(suite):
    switch = {"behaviours": {"b": {"kind": "switch", "versions": ["hate", "instruct"]}}}
    assert refused(suite(form=switch)) == "The dataset data has nothing for the task backdoor_removal: it has switch."
    assert refused(suite(form={"title": "Texts"})).endswith("it has no behaviour.")


def test_a_measure_that_nobody_judges_is_one_sentence(suite):
    form = {"behaviours": {"insults": {"versions": ["hate"], "shown_by": "sarcasm"}}}
    assert "Nobody judges 'sarcasm' of the dataset data in the task backdoor_removal" in refused(suite(form=form))


def test_a_line_that_cannot_be_used_ends_a_plan_with_its_place(suite):
    assert "lines.jsonl:6 of " in refused(suite([*LINES, {"promt": "Why?"}]))


def test_where_the_vector_belongs_at_the_trigger_every_prompt_needs_one(suite):
    form = {"behaviours": {"insults": FORM["behaviours"]["insults"] | {"positions": "trigger"}}}
    assert "lines.jsonl:1: no `trigger` is marked in 'Why?', where insults is steered" in refused(suite(form=form))
