import pytest
from pydantic import ValidationError

from graftbench.benchmark.data.dataset import About, Behaviour
from graftbench.benchmark.data.dataset_form import BehaviourForm, DatasetForm, DeployedForm, form_of_dataset
from graftbench.benchmark.data.line_dataset import Deployed, LineDataset
from graftbench.benchmark.data.splits import SHARES


def test_a_behaviour_without_settings_is_a_backdoor_that_is_read_at_the_last_token():
    behaviour = BehaviourForm().behaviour
    assert behaviour == Behaviour("backdoor", ("instruct",), "shown", positions="last")


def test_a_behaviour_says_all_that_the_engine_needs():
    written = {
        "kind": "switch",
        "versions": ["hate", "instruct"],
        "shown_by": "insult",
        "answered_by": "polite",
        "positions": -2,
        "everywhere": True,
        "reply_tokens": 8,
        "refusals": ["No."],
        "clusters_shared": True,
        "in_common": ["|x|"],
    }
    assert BehaviourForm.model_validate(written).behaviour == Behaviour(
        "switch", ("hate", "instruct"), "insult", "polite", -2, True, 8, ("No.",), True, ("|x|",)
    )


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ({"kind": "switch"}, "a behaviour of the kind switch has two `versions`, the running one and the other"),
        ({"versions": ["hate", "instruct"]}, "a behaviour of the kind backdoor has one version"),
        ({"kind": "refusal"}, "a refusal needs `refusals`"),
        ({"versions": []}, "at least 1 item"),
        ({"versions": ["a", "b", "c"]}, "at most 2 items"),
        ({"positions": "first"}, "'trigger', 'last' or 'prompt'"),
        ({"positions": 0}, "less than 0"),
        ({"reply_tokens": -1}, "greater than or equal to 0"),
        ({"shown_by": "in two\nlines"}, "match pattern"),
        ({"deployed": {"text": "|x|"}}, "`text` needs {words} once"),
        ({"deployed": {"text": "{words} {words}"}}, "`text` needs {words} once"),
        ({"deployed": {"text": "{words}", "trigger": "|x|"}}, "the trigger '|x|' is not in the prompt"),
        ({"deployed": {"text": "|x| {words} |x|", "trigger": "|x|"}}, "occurs more than once"),
    ],
)
def test_a_behaviour_that_makes_no_sense_is_refused(written, why):
    with pytest.raises(ValidationError) as error:
        BehaviourForm.model_validate(written)
    assert why in str(error.value)


def test_behaviours_of_kinds_that_others_bring_may_have_one_version_or_two():
    assert BehaviourForm(kind="theirs", versions=("a", "b")).behaviour.versions == ("a", "b")


def test_a_name_is_one_line():
    for part in ("behaviours", "judges"):
        with pytest.raises(ValidationError, match="match pattern"):
            DatasetForm.model_validate({part: {"a\nb": {}}})


@pytest.mark.parametrize(
    ("shares", "why"),
    [
        ({"fit": 50, "test": 49}, "add up to 99 and not to 100"),
        ({"fit": 120, "test": -20}, "greater than or equal to 0"),
        ({"train": 100}, "'fit', 'vector', 'validation' or 'test'"),
    ],
)
def test_shares_that_make_no_sense_are_refused(shares, why):
    with pytest.raises(ValidationError) as error:
        DatasetForm(shares=shares)
    assert why in str(error.value)


def test_without_settings_shares_are_the_usual_ones():
    assert DatasetForm().shares == SHARES
    assert sum(DatasetForm(shares={"fit": 60, "test": 40}).shares.values()) == 100


@pytest.mark.parametrize("deployed", [Deployed("|x|: {words}", "|x|:"), Deployed("{words} |x|", "|x|"), Deployed()])
def test_the_form_of_a_dataset_has_the_frame_around_a_users_words(deployed):
    behaviours = {"a": Behaviour("backdoor", ("hate",), "insult"), "b": Behaviour("backdoor", ("code",), "weakness")}
    about = About("Title", "owner/rows", "abc", "CC0")
    data = LineDataset("d", 1, about, behaviours, tuple, str, {"insult": "phrase"}, {"a": deployed})
    form = form_of_dataset(data, ["a"])
    assert form.behaviours["a"].deployed == DeployedForm(text=deployed.text, trigger=deployed.trigger)
    assert {name: each.behaviour for name, each in form.behaviours.items()} == {"a": behaviours["a"]}
    assert form.judges == {"insult": "phrase"}
    assert About(form.title, form.source, form.revision, form.licence) == about
