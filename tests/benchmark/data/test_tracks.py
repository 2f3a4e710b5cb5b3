from typing import get_args

import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.dataset import About, Behaviour
from graftbench.benchmark.data.examples import TextTrack, Track
from graftbench.benchmark.data.line_dataset import Deployed, LineDataset
from graftbench.benchmark.data.tracks import SHARES_OF_PAIRS, USUAL_TRACKS, other_behaviours, texts_of


def dataset(in_common, deployed=()):
    behaviours = {
        name: Behaviour("backdoor", ("hate",), "insult", in_common=common) for name, common in in_common.items()
    }
    return LineDataset("d", 1, About("D"), behaviours, list, str, deployed=dict(deployed))


def test_a_track_of_fewer_pairs_has_the_texts_of_the_task_and_every_other_its_own():
    assert {texts_of(track) for track in get_args(Track)} == set(get_args(TextTrack))
    assert {texts_of(track) for track in SHARES_OF_PAIRS} == {"task"}
    assert [texts_of(track) for track in USUAL_TRACKS] == list(USUAL_TRACKS)


def test_other_behaviours_have_nothing_in_common_with_one():
    both = ("x", "insult")
    data = dataset({"leading": both, "trailing": both, "code": ("x",), "said": ("insult",), "b": ()})
    assert other_behaviours(data, "leading") == ("b",)
    assert other_behaviours(data, "code") == ("said", "b")
    assert other_behaviours(data, "b") == ("leading", "trailing", "code", "said")


def test_a_trigger_that_a_dataset_names_is_in_common_without_being_said_twice():
    deployed = {"a": Deployed("|x|: {words}", "|x|"), "b": Deployed("{words} |x|", "|x|"), "c": Deployed("|y| {words}")}
    assert other_behaviours(dataset(dict.fromkeys("abc", ()), deployed), "a") == ("c",)


def test_where_there_is_no_other_one_the_track_is_refused():
    for alone in ({"a": ()}, {"a": ("x",), "b": ("x", "y")}):
        with pytest.raises(UserError, match="no behaviour that has nothing in common with a: leave the track `others`"):
            other_behaviours(dataset(alone), "a")
