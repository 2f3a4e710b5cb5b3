import pytest

from graftbench.benchmark.results.schema import SideEffect, SideEffects
from graftbench.leaderboard.columns import cost, fidelity, side_effects
from tests.benchmark.runs.test_entry import result


def costing(difference, perplexity, **more):
    graded = {"pocket_mmlu": {"acc": {"value": 0.5, "n": 10, "difference": difference, "low": -1, "high": 1}}}
    unsteered = SideEffect(
        tasks={"pocket_mmlu": {"acc": {**graded["pocket_mmlu"]["acc"], "difference": 0}}}, perplexity=2
    )
    mapped = SideEffect(tasks=graded, kl=0.5, perplexity=perplexity)
    return SideEffects(deployed={"unsteered": unsteered, "mapped": mapped}, stressed={"reason": "not_measured"}, **more)


def with_costs(*costs):
    return [result().model_copy(update={"side_effects": one}) for one in costs]


def test_side_effects_are_means_over_the_cells_for_which_they_are_known():
    means = side_effects([*with_costs(costing(-0.2, 2), costing(-0.4, 200)), result()])
    assert means.keys() == {"deployed"}
    mapped = means["deployed"]["mapped"]
    assert mapped["cells"] == 2
    assert mapped["tasks"] == {"pocket_mmlu acc": pytest.approx(-0.3)}
    assert mapped["kl"] == 0.5
    assert mapped["perplexity"] == pytest.approx(10)  # of 1 and of 100 times


def test_what_is_not_known_anywhere_is_none():
    assert side_effects([result()]) == {}
    assert fidelity([]) == {"cosine": None, "fvu": None, "replaced_kl": None}
    assert cost([]) == {"parameters": 0, "bytes": 0}


def test_fidelity_is_the_mean_and_cost_the_most_of_its_cells():
    cells = [result(fidelity={"fvu": value, "replaced_kl": 2 * value}) for value in (0.25, 0.75)]
    assert fidelity(cells) == {"cosine": None, "fvu": 0.5, "replaced_kl": 1.0}
    assert cost(cells) == {"parameters": 10, "bytes": 40}
