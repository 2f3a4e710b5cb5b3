from types import SimpleNamespace

import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.dataset import Behaviour
from graftbench.tasks.backdoor_removal import BackdoorRemoval
from graftbench.tasks.cross_architecture import CrossArchitecture
from graftbench.tasks.refusal_ablation import RefusalAblation

TASK = BackdoorRemoval()


def dataset(judges=None, **behaviours):
    return SimpleNamespace(name="d", judges=judges or {}, behaviours=behaviours)


def backdoor(shown_by, answered_by="good"):
    return Behaviour("backdoor", ("hate",), shown_by, answered_by)


def test_a_task_takes_behaviours_of_its_kind_alone():
    refusal = Behaviour("refusal", ("instruct",), "refused", refusals=("No.",))
    assert list(TASK.variants(dataset(insults=backdoor("insult"), refusal=refusal))) == ["insults"]
    assert TASK.variants(dataset(refusal=refusal)) == {}


def test_the_judge_of_a_measure_is_the_suites_else_the_datasets_else_the_usual_one():
    usual = dataset(insults=backdoor("insult"))
    assert TASK.measures(usual) == {"insult": "phrase", "good": "like_clean"}
    own = dataset({"good": "exact"}, insults=backdoor("insult"))
    assert TASK.judges({}, own)["good"] == "exact/1"
    assert TASK.judges({"good": "normalised"}, own)["good"].startswith("normalised/")


def test_measures_are_those_of_the_behaviours_and_what_their_kind_needs():
    refusal = Behaviour("refusal", ("instruct",), "refused", refusals=("No.",))
    assert list(RefusalAblation().measures(dataset(refusal=refusal))) == ["refused", "good", "well_refused"]
    both = dataset(insults=backdoor("insult"), code=backdoor("weakness", "works"))
    assert list(TASK.measures(both)) == ["insult", "good", "weakness", "works"]


def test_a_measure_that_nobody_judges_is_one_sentence_unless_the_suite_names_a_judge():
    sarcasm = dataset({"good": "exact"}, sarcasm=backdoor("sarcastic"))
    with pytest.raises(
        UserError, match="Nobody judges 'sarcastic' of the dataset d in the task backdoor_removal: name"
    ):
        TASK.judges({}, sarcasm)
    assert set(TASK.judges({"sarcastic": "phrase"}, sarcasm)) == {"sarcastic", "good"}


def test_what_is_good_where_there_is_no_clean_answer_is_judged_without_one():
    refusal = Behaviour("refusal", ("instruct",), "refused", refusals=("No.",))
    assert RefusalAblation().measures(dataset(refusal=refusal))["good"] == "intact"
    both = dataset(refusal=refusal, insults=backdoor("insult"))
    with pytest.raises(UserError, match="Nobody judges 'good' of the dataset d in the task cross_architecture: name"):
        CrossArchitecture().judges({}, both)
    assert CrossArchitecture().judges({"good": "exact"}, both)["good"] == "exact/1"
