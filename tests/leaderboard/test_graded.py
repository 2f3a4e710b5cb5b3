"""Outcomes beside success: at another norm, over strengths, and on scales without a threshold."""

import pytest

from graftbench.benchmark.results.pooling import Pooling, by_place
from graftbench.benchmark.results.schema import AtStrength
from graftbench.leaderboard.graded import graded, norms
from tests.benchmark.runs.test_entry import result, some

SWEEP = {"native": (0.2, 1.0), "mapped": (0.1, 0.6), "random": (0.0, 0.2)}


def swept(cell, sweep):
    points = {
        name: [AtStrength(strength=s, value=v, n=64) for s, v in zip((0.5, 1.0), values, strict=True)]
        for name, values in sweep.items()
    }
    return cell.model_copy(update={"sweep": points})


def outcomes(*cells):
    return graded(by_place(cells), Pooling.over(cells))


def test_each_strength_is_compared_with_random_vectors_of_that_strength():
    found = outcomes(swept(result(), SWEEP))
    assert found["all_strengths"] == pytest.approx(50)
    assert found["best_strength"] == pytest.approx(50)
    assert outcomes(swept(result(), SWEEP | {"random": (0.0, 0.6)}))["best_strength"] == pytest.approx(25)


def test_a_figure_that_native_raises_and_one_that_it_lowers_count_alike():
    def refusing(variant, native, mapped):
        measured = {"native": native, "mapped": mapped, "random": 0.0}
        return result(variant=variant, measures={name: {"refusal_score": value} for name, value in measured.items()})

    assert outcomes(refusing("addition", 4.0, 1.0), refusing("ablation", -4.0, -3.0))["refusal_score"] == 50
    assert outcomes(refusing("addition", 4.0, -4.0), refusing("ablation", -4.0, -4.0))["refusal_score"] == 0


def test_what_no_cell_has_is_null():
    assert outcomes(result()) | {"equal_norm": None, "own_norm": None} == dict.fromkeys(
        ("equal_norm", "own_norm", "all_strengths", "best_strength", "refusal_score", "shift")
    )


def test_both_norms_are_over_the_cells_that_have_both():
    cells = [result(), result(variant="ablation", mapped=0.9)]
    short = {"mapped_own_norm": [some(0.1)]}
    first = cells[0].model_copy(update={"bits": cells[0].bits | short})
    second = cells[1].model_copy(update={"bits": {n: b for n, b in cells[1].bits.items() if n != "mapped_own_norm"}})
    pooling = Pooling.over(cells)
    assert norms(by_place([first, second]), pooling, {}) == {"equal_norm": 50, "own_norm": 0}
