"""Reference conditions have to be the same in all entries, in every cell and for every seed."""

import pytest

from graftbench.benchmark.results.entry_files import entry_text
from graftbench.benchmark.results.schema import Rate
from graftbench.leaderboard.comparability import comparison_problems
from graftbench.leaderboard.verify import verify
from tests.benchmark.runs.test_entry import N, result, some
from tests.leaderboard.planted import SUITE, entry, of, run_of


def changed(cell, **more):
    return cell.model_copy(update=more)


def with_bits(cell, **bits):
    return changed(cell, bits=cell.bits | bits)


def seeds(mapped):
    return [result(mapped=mapped, seed=seed) for seed in range(3)]


def test_entries_with_the_same_references_stand_beside_each_other():
    assert comparison_problems([entry("one", *of(0.5)), entry("other", *of(0.8))]) == []
    assert comparison_problems([entry("one", *seeds(0.5)), entry("other", result(mapped=0.8))]) == []


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("first", [True, False], ids=["first", "last"])
def test_every_seed_of_every_entry_has_the_references_of_all(seed, first):
    forged = seeds(0.5)
    forged[seed] = with_bits(forged[seed], random=[some(0)] * 16)
    both = [entry("forged", *forged), entry("fair", *seeds(0.5))]
    problems = comparison_problems(both if first else both[::-1])
    assert any("the answers under random differ" in message for message in problems)


def test_the_seeds_of_one_entry_alone_are_held_to_each_other():
    forged = seeds(0.5)
    forged[1] = with_bits(forged[1], native=[some(1.0)])
    (message,) = comparison_problems([entry("alone", *forged)])
    assert message.startswith("on the suite pocket the seeds of alone cannot be compared: ")
    assert message.endswith("seed 1: the answers under native differ")


@pytest.mark.parametrize("condition", ["unsteered", "mean_ablated", "random_contrast", "weight_patch_k3"])
def test_all_conditions_that_no_mapper_takes_part_in_are_compared(condition):
    fair, forged = (with_bits(result(), **{condition: [some(rate)]}) for rate in (0.3, 0.5))
    (message,) = comparison_problems([entry("fair", fair), entry("forged", forged)])
    assert message.endswith(f"the answers under {condition} differ")


@pytest.mark.parametrize("condition", ["mapped_best", "matched_noise", "lora"])
def test_what_a_mapper_takes_part_in_or_is_trained_may_differ(condition):
    one, other = (with_bits(result(), **{condition: [some(rate)]}) for rate in (0.3, 0.5))
    assert comparison_problems([entry("one", one), entry("other", other)]) == []


def test_nobody_says_alone_that_there_is_nothing_to_carry():
    cell = result(mapped=0.2)
    bits = {name: draws for name, draws in cell.bits.items() if not name.startswith("mapped")}
    bits["unsteered"] = [[1, *bits["unsteered"][0][1:]]]  # one answer is another: that much may differ
    nothing = Rate(value=None, low=None, high=None, reason="no_direction")
    dropped = changed(
        cell,
        bits=bits,
        rates=cell.rates | {"mapped": nothing},
        training=None,
        cost=None,
        steerable=False,
        reason="no_direction",
    )
    (message,) = comparison_problems([entry("fair", cell), entry("forged", dropped)])
    assert "it can be steered in one and not in the other (no_direction, steerable)" in message
    assert N > 50  # one bit of them is below what may differ


def test_an_entry_is_a_file_of_its_own_and_no_link(tmp_path):
    run_of(tmp_path / "elsewhere", entry("mine", *of(0.5)))
    (tmp_path / "board" / "entries").mkdir(parents=True)
    (tmp_path / "board" / "suites").mkdir()
    (tmp_path / "board" / "suites" / "pocket.json").write_text(SUITE.model_dump_json())
    link = tmp_path / "board" / "entries" / "mine.json"
    link.symlink_to(tmp_path / "elsewhere" / "entry.json")
    assert verify(link, tmp_path / "board").wrong == (f"{link} is a link: an entry is a file of its own.",)


def test_an_entry_with_a_failed_cell_is_no_part_of_a_leaderboard(tmp_path):
    cells = [*of(0.5)]
    cells[1] = changed(cells[1], status="failed", reason="no", bits={}, transfer=None, steerable=None)
    path = tmp_path / "board" / "entries" / "mine.json"
    path.parent.mkdir(parents=True)
    (tmp_path / "board" / "suites").mkdir()
    (tmp_path / "board" / "suites" / "pocket.json").write_text(SUITE.model_dump_json())
    path.write_text(entry_text(entry("mine", *cells)))
    assert "it has no score, for 1 of 2 cells failed" in verify(path, tmp_path / "board").wrong
