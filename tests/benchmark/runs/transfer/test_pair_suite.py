import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.runs.suite import Suite
from graftbench.benchmark.runs.transfer.pair_suite import ModelNamed, PairOrder, datasets_of, tracks_named

STYLES = {"behaviour_steering": "styles"}


def order(source="a/Small-1B", target="b/Large-3B", **more):
    return PairOrder(ModelNamed(source), ModelNamed(target), more.pop("datasets", STYLES), **more)


def test_two_names_make_a_suite_of_all_behaviours():
    suite = order().suite((3, 7))
    assert suite.name == "Small-1B-to-Large-3B"
    cells = suite.tasks["behaviour_steering"].cells
    assert len(cells) == 9
    assert not [cell for cell in cells if cell.variant.endswith("_open")]
    assert {cell.pair for cell in cells} == {"Small-1B->Large-3B"}
    assert {cell.sites for cell in cells} == {(3, 7)}
    assert suite.spec("Small-1B", "instruct").model == "a/Small-1B"


def test_the_suite_is_read_again_from_its_own_file():
    suite = order().suite((3, 7))
    assert Suite.model_validate_json(suite.model_dump_json()).hash == suite.hash


@pytest.mark.parametrize(
    ("source", "target", "families"),
    [
        ("a/m", "b/m", ("m-source", "m-target")),
        ("a/m", "a/m", ("m", "m")),
        ("/models/my model", "b/x", ("my-model", "x")),
        ("/models/模型", "b/x", ("model", "x")),
    ],
)
def test_families_are_the_last_parts_of_names(source, target, families):
    made = order(source, target)
    assert made.families == families
    assert set(made.suite((0, 0)).models) == set(families)


def test_behaviours_can_be_chosen_and_are_known():
    assert order(behaviours=("french", "brief")).variants == {"behaviour_steering": ["french", "brief"]}
    with pytest.raises(UserError, match=r"has a behaviour 'frensh'\. Did you mean french"):
        order(behaviours=("frensh",)).suite((0, 0))
    with pytest.raises(UserError, match="has a behaviour 'french_opem'") as told:
        order(behaviours=("french_opem",)).suite((0, 0))
    assert "_open" not in str(told.value)
    with pytest.raises(UserError, match="french_open needs a judge, which only a suite can name"):
        order(behaviours=("french_open",)).suite((0, 0))


def test_a_task_that_chooses_its_sites_gets_none():
    made = order("llama-s-instruct", "qwen2-s-instruct", datasets={"refusal_ablation": "pocket"})
    assert not made.needs_sites()
    assert {cell.sites for cell in made.suite(None).tasks["refusal_ablation"].cells} == {None}


def test_no_sweep_chooses_the_sites_of_other_tasks():
    made = order("llama-s-hate", "llama-m-hate", datasets={"backdoor_removal": "pocket"})
    with pytest.raises(UserError, match="The sites of backdoor_removal are not chosen by a sweep.*--sites"):
        made.needs_sites()


def test_data_decide_which_tasks_are_run():
    assert datasets_of([], None) == STYLES
    assert datasets_of([], "model_written_evals") == {"behaviour_steering": "model_written_evals"}
    assert set(datasets_of([], "pocket")) == {"refusal_ablation"}
    assert datasets_of(["refusal_ablation"], None) == {"refusal_ablation": "refusal_sets"}
    with pytest.raises(UserError, match="backdoor_removal needs a dataset, named by --data"):
        datasets_of(["backdoor_removal"], None)
    with pytest.raises(UserError, match="refusal_ablatoin"):
        datasets_of(["refusal_ablatoin"], None)


def test_tracks_are_named_in_any_order():
    assert tracks_named("unseen, task") == ("task", "unseen")
    with pytest.raises(UserError, match=r"no track 'seen'\. Did you mean unseen"):
        tracks_named("seen")


def test_a_first_look_asks_fewer_prompts_and_half_as_many_on_validation():
    settings = order(prompts=32).suite((3, 7)).tasks["behaviour_steering"].settings
    assert (settings["test"], settings["validation"]) == (32, 16)
    usual = order().suite((3, 7)).tasks["behaviour_steering"].settings
    assert settings == usual | {"test": 32, "validation": 16}
