"""What the pocket suite promises to ask, whatever its sites and numbers are."""

from graftbench.benchmark.core.names import split_pair
from graftbench.benchmark.data.tracks import USUAL_TRACKS
from graftbench.benchmark.runs.plan import dataset_of, planned, task_named
from graftbench.benchmark.runs.suite import read_suite
from graftbench.benchmark.zoo.world.styles import STYLES
from graftbench.leaderboard.own_runs import FOLDER
from graftbench.leaderboard.scoring import read_scoring

POCKET = read_suite("pocket")
CELLS = planned(POCKET, deterministic=True)
COUNTED = [cell for cell in CELLS if not cell.check]
OF_ONE_EXPERIMENT = (
    {"backdoor_removal", "corrupted_capabilities", "cross_architecture"},
    {"refusal_ablation"},
    {"version_switching"},
)


def behaviour_of(cell):
    variant = task_named(cell.task).variants(dataset_of(POCKET, cell.task))[cell.variant]
    return variant.name, variant.behaviour


def prompts_of(cell):
    name, _ = behaviour_of(cell)
    return [example.prompt for example in dataset_of(POCKET, cell.task).examples(name, "test", 20)]


def test_every_kind_of_experiment_has_a_twin_as_a_check():
    assert {cell.task for cell in CELLS} == set().union(*OF_ONE_EXPERIMENT)
    assert all(cell.check == ("twin" in split_pair(cell.pair)) for cell in CELLS)
    checked = {cell.task for cell in CELLS if cell.check}
    assert all(tasks & checked for tasks in OF_ONE_EXPERIMENT)


def test_every_pair_is_fitted_on_general_text_and_every_cell_on_its_own():
    pairs = {cell.pair for cell in COUNTED}
    assert {cell.pair for cell in COUNTED if cell.track == "general"} == pairs
    assert {cell.reference for cell in COUNTED if cell.track == "task"} == {cell.reference for cell in COUNTED}


def test_every_usual_track_has_cells_within_an_architecture_and_between_two():
    for track in USUAL_TRACKS:
        tasks = {cell.task for cell in COUNTED if cell.track == track}
        assert {"backdoor_removal", "cross_architecture"} <= tasks


def test_no_vector_that_counts_is_of_a_trigger_at_the_start():
    of_vectors = [cell for cell in COUNTED if behaviour_of(cell)[1].kind != "switch"]  # which carry whole activations
    triggered = [prompt for cell in of_vectors for prompt in prompts_of(cell) if prompt.trigger]
    assert triggered
    assert all(prompt.trigger[0] > 0 and prompt.trigger[1] == len(prompt.text) for prompt in triggered)


def test_four_behaviours_are_marked_by_no_token_and_each_is_carried_between_two_pairs():
    unmarked = {cell.variant for cell in COUNTED if behaviour_of(cell)[1].everywhere}
    assert unmarked == set(STYLES)
    assert len(unmarked) == 4
    for name in unmarked:
        cells = [cell for cell in COUNTED if cell.variant == name]
        assert not any(prompt.trigger for cell in cells for prompt in prompts_of(cell))
        assert len({cell.pair for cell in cells if cell.track == "general"}) >= 2


def test_each_mapper_is_its_own_null_and_memory_is_named():
    assert POCKET.shuffled_refit
    assert {"lookup", "knn"} <= set(read_scoring(FOLDER, "pocket").memory)


def test_every_behaviour_of_a_score_has_a_name_and_no_name_is_of_none():
    assert set(read_scoring(FOLDER, "pocket").behaviours) == {cell.variant for cell in COUNTED}
