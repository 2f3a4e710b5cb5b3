import json
from dataclasses import replace

from graftbench.benchmark.runs.executors.protocol import Job
from graftbench.benchmark.runs.folder import Timings, suite_text
from graftbench.benchmark.runs.jobs import reference_side_effects_name, scoring_name
from graftbench.benchmark.runs.order import former_seconds, longest_first
from graftbench.benchmark.runs.plan import planned
from graftbench.benchmark.runs.suite import read_suite


def job(name, *after):
    return Job(name, print, (), after=after)


def names(jobs):
    return [job.name for job in jobs]


CHAINS = [job("a"), job("a1", "a"), job("b"), job("b1", "b"), job("b2", "b"), job("c"), job("c1", "c")]
SECONDS = {"a": 5, "a1": 1, "b": 2, "b1": 9, "b2": 3, "c": 1, "c1": 1}


def test_the_longest_chain_comes_first_after_the_shortest():
    assert names(longest_first(CHAINS, SECONDS)) == ["c", "c1", "b", "b1", "a", "b2", "a1"]


def test_a_chain_of_three_counts_as_a_whole():
    jobs = [job("a"), job("a1", "a"), job("aside", "a"), job("a2", "a1", "aside"), job("b"), job("c")]
    seconds = {"a": 2, "a1": 1, "aside": 5, "a2": 4, "b": 10, "c": 1}
    assert names(longest_first(jobs, seconds)) == ["c", "a", "b", "aside", "a1", "a2"]


def test_all_that_the_shortest_chain_begins_comes_first():
    jobs = [job("b"), job("a"), job("a1", "a"), job("a2", "a1")]
    assert names(longest_first(jobs, {"a": 1, "a1": 1, "a2": 1, "b": 9})) == ["a", "a1", "a2", "b"]


def test_jobs_of_unknown_length_count_as_long_ones():
    known = {name: took for name, took in SECONDS.items() if name != "a1"}
    assert names(longest_first(CHAINS, known))[2:4] == ["a", "a1"]


def test_without_lengths_the_order_stays():
    assert names(longest_first(CHAINS, {})) == names(CHAINS)
    assert longest_first([], {}) == []


def test_a_cell_never_comes_before_its_reference():
    order = names(longest_first(CHAINS, {"a": 0.0, "a1": 100.0}))
    assert order.index("a") < order.index("a1")


def write(folder, suite, timings):
    folder.mkdir()
    (folder / "suite.json").write_text(suite_text(suite))
    (folder / "timings.json").write_text(timings if isinstance(timings, str) else json.dumps(vars(timings)))


def test_the_most_seconds_of_a_run_of_the_same_suite_are_taken(tmp_path, caplog):
    suite = read_suite("pocket")
    cell = planned(suite, deterministic=True)[0]
    cold = Timings({}, {cell.reference_name: 90.0}, {cell.name: {"total": 60.0, "side_effects": 45.0}}, {})
    warm = Timings({}, {cell.reference_name: 0.1}, {cell.name: {"total": 70.0, "side_effects": 40.0}}, {})
    shared = Timings({}, {}, {}, {cell.reference_name: 20.0})
    other = Timings({}, {cell.reference_name: 500.0}, {}, {})
    write(tmp_path / "cold", suite, cold)
    write(tmp_path / "warm", suite, warm)
    write(tmp_path / "shared", suite, shared)
    write(tmp_path / "other", suite.model_copy(update={"name": "other"}), other)
    write(tmp_path / "damaged", suite, "{")
    assert former_seconds(tmp_path / "new", suite, [cell]) == {
        cell.reference: 90.0,
        reference_side_effects_name(cell): 20.0,
        scoring_name(cell): 30.0,
        cell.name: 45.0,
    }
    assert "damaged" in caplog.text


def test_a_cell_without_side_effects_is_one_job(tmp_path):
    suite = read_suite("pocket")
    cell = replace(planned(suite, deterministic=True)[0], side_effects=False)
    write(tmp_path / "run", suite, Timings({}, {}, {cell.name: {"total": 70.0, "side_effects": 0.1}}, {}))
    assert former_seconds(tmp_path / "new", suite, [cell]) == {cell.name: 70.0}
