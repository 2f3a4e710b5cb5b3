"""Reruns of cells: only trusted code is run, and everything in an entry is compared, not its bits alone."""

import json
from copy import deepcopy
from types import SimpleNamespace

import pytest
from rich.console import Console

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.mappers.info import describe
from graftbench.benchmark.results.schema import CellResult
from graftbench.benchmark.runs.suite import Suite, read_suite, ships
from graftbench.cli.main import main
from graftbench.leaderboard import rerun as rerun_module
from graftbench.leaderboard.rerun import rerun_cells
from graftbench.leaderboard.rerun_diff import compare_cells
from tests.benchmark.runs.test_entry import failed, result
from tests.leaderboard.planted import entry, of, run_of, suite_of
from tests.leaderboard.test_any_entry import PLAIN

RAN = {"batch_size": "8", "device": "cpu"}


def of_ridge(*cells, **environment):
    ridge = describe("ridge")
    submission = entry("ridge", *cells, sha256=ridge.sha256)
    about = {"source": "ridge", "deterministic": True, "vector_rule": ridge.vector_rule}
    mapper = submission.mapper.model_copy(update=about)
    return submission.model_copy(update={"mapper": mapper, "environment": submission.environment | RAN | environment})


def rerun(submission, suite, out, trust=True):
    return rerun_cells(submission, suite, out, 1, trust=trust, out=out, console=Console(quiet=True))


@pytest.fixture
def nothing_runs(monkeypatch):
    monkeypatch.setattr(rerun_module, "run", lambda *_: pytest.fail("something was run"))


def at_a_strangers():
    """The suite that ships, but for the server of a judge."""
    record = read_suite("pocket").model_dump()
    judge = {"judge": "llm:good_answer", "model": "m", "base_url": "http://127.0.0.1:9/v1"}
    record["tasks"]["backdoor_removal"]["judges"] = {"good": judge}
    return Suite.model_validate(record)


def test_a_suite_that_does_not_ship_is_run_only_for_who_trusts_it(tmp_path, nothing_runs):
    for suite in (suite_of(), at_a_strangers()):
        with pytest.raises(UserError, match=r"The suite pocket does not come with graftbench: --trust-code"):
            rerun(of_ridge(*of(0.5)), suite, tmp_path, trust=False)


def test_a_suite_ships_as_it_was_written_and_under_no_other_terms():
    pocket = read_suite("pocket")
    assert ships(Suite.model_validate_json(pocket.model_dump_json()))
    assert not ships(at_a_strangers())
    assert not ships(pocket.model_copy(update={"models": {**pocket.models, "more": {}}}))


def test_a_run_of_a_suite_that_does_not_ship_asks_no_server(tmp_path, capsys, nothing_runs):
    run_of(tmp_path / "run", of_ridge(*of(0.5)))
    assert main(["leaderboard", "verify", str(tmp_path / "run"), "--rerun", "1"]) == 2
    said = capsys.readouterr().err
    assert "The suite pocket does not come with graftbench" in said
    assert said.count("\n") == 1


def test_where_every_cell_failed_nothing_is_run_again(tmp_path, nothing_runs):
    with pytest.raises(UserError, match="there is none to run again"):
        rerun(of_ridge(failed()), suite_of(), tmp_path)


@pytest.mark.parametrize(("n", "checks"), [(1, 0), (3, 0), (4, 1), (9, 2)])
def test_cells_that_count_are_run_again_before_checks(tmp_path, monkeypatch, n, checks):
    cells = [result().model_copy(update={"variant": f"v{i}", "check": i < 2}) for i in range(5)]
    monkeypatch.setattr(rerun_module, "run_again", lambda *_: {})
    monkeypatch.setattr(rerun_module, "trusted_mapper", lambda *_, **__: describe("ridge"))
    for seed in range(5):
        submission = of_ridge(*cells)
        diffs = rerun_cells(
            submission, suite_of(), tmp_path, n, trust=True, out=tmp_path, console=Console(quiet=True), seed=seed
        )
        assert sum(any(f" {v} " in diff.name for v in ("v0", "v1")) for diff in diffs) == checks
        assert len({diff.name for diff in diffs}) == min(n, 5)


@pytest.mark.parametrize("stated", ["9" * 900, str(2**20 + 1), "0", "-1", "many", ""])
def test_rows_at_a_time_have_a_bound(tmp_path, nothing_runs, stated):
    with pytest.raises(UserError, match="does not say how many rows it ran at a time, from 1 to 1048576"):
        rerun(of_ridge(*of(0.5), batch_size=stated), suite_of(), tmp_path)


def test_an_entry_may_have_run_with_as_many_rows_as_memory_held(tmp_path, monkeypatch):
    submission, asked = of_ridge(*of(0.5), batch_size="auto"), []

    def same(request, _):
        asked.append(request.settings().batch_size)
        return SimpleNamespace(entry=submission)

    monkeypatch.setattr(rerun_module, "run", same)
    rerun(submission, suite_of(), tmp_path)
    assert asked == ["auto"]


@pytest.mark.parametrize("stated", ["meta", "", "auto"])
def test_an_entry_says_on_which_device_it_ran(tmp_path, nothing_runs, stated):
    with pytest.raises(UserError, match="does not say on which device it ran"):
        rerun(of_ridge(*of(0.5), device=stated), suite_of(), tmp_path)


def whole():
    """The record of a cell with something in every place."""
    record = deepcopy(PLAIN["cells"][0])
    said = {name: {"completion": "c", "success": True} for name in record["bits"]}
    record["examples"] = [{"item": i, "prompt": "p", "reference": "r", "said": said} for i in record["prompt_ids"][:2]]
    record["fidelity"] = {"cosine": 0.4, "fvu": 0.9, "norm": 0.5}
    return json.loads(json.dumps(record))


def wrong_of(edit):
    """What is said of an entry's cell that was edited, beside the cell as it came out."""
    stored = whole()
    edit(stored)
    return "; ".join(compare_cells("cell", CellResult.model_validate(stored), CellResult.model_validate(whole())).wrong)


def test_what_is_the_same_is_not_wrong():
    now = CellResult.model_validate(whole())
    assert compare_cells("cell", now, now).report.startswith("cell: 0 of ")
    assert compare_cells("cell", now, now).report.endswith(" figures differ")


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda c: c["cost"].update(parameters=9), "cost.parameters is 9, and 10 now"),
        (lambda c: c["cost"].update(bytes=41), "cost.bytes is 41, and 40 now"),
        (lambda c: c["cost"].update(pairs=1001), "cost.pairs is 1001, and 1000 now"),
        (lambda c: c.update(cost=None), "cost.parameters is None, and 10 now"),
        (lambda c: c["cost"].update(share_aligned=0.9), "such as cost.share_aligned"),
        (lambda c: c["fidelity"].update(cosine=0.99), "1 of 3 figures of fidelity differ now, such as fidelity.cosine"),
        (lambda c: c.update(fidelity={}), "3 of 3 figures of fidelity differ now"),
        (lambda c: c["side_effects"]["deployed"]["mapped"].update(kl=0.1), "side_effects.deployed.mapped.kl"),
        (lambda c: c["rates"]["mapped"].update(good=0.9), "figures of parts differ now, such as rates.mapped.good"),
        (lambda c: c["rates"]["mapped"].update(gone=0.1), "rates.mapped.gone"),
        (lambda c: c["rates"]["mapped"].update(equal_clean=0.9), "rates.mapped.equal_clean"),
        (lambda c: c["rates"]["mapped"]["marks"].update(quoted=0.9), "figures of marks differ now"),
        (lambda c: c["rates"]["mapped"]["groups"].update(fraud=0.9), "figures of groups differ now"),
        (lambda c: c["rates"]["mapped"]["measures"].update(kl=0.9), "figures of measures differ now"),
        (lambda c: c["sweep"]["mapped"][0].update(value=0.9), "such as sweep.mapped.1"),
        (lambda c: c["sweep"]["mapped"][0].update(strength=0.5), "2 of 2 figures of sweep differ now"),
        (lambda c: c.update(strength=0.5), "strength is 0.5, and 1.0 now"),
        (lambda c: c.update(sites=[0, 1]), "sites is (0, 1), and (1, 2) now"),
        (lambda c: c.update(positions=None), "positions is None, and ('trigger', 'trigger') now"),
        (lambda c: c.update(n_asked=9), "n_asked is 9, and 160 now"),
        (lambda c: c.update(n_validation=60), "n_validation is 60, and 64 now"),
        (lambda c: c.update(models={"source": "x"}), "models is {'source': 'x'}, and {} now"),
        (lambda c: c["training"].update(data_hash="z"), "training.data_hash is z, and 00 now"),
        (lambda c: c["transfer"].update(baseline="native"), "transfer.baseline is native, and random now"),
        (lambda c: c["bits"].pop("mapped"), "160 of 160 bits of mapped differ now"),
        (lambda c: c["examples"][0].update(prompt="other"), "the examples differ now: their prompts or references"),
        (lambda c: c["examples"][1].update(reference=None), "the examples differ now: their prompts or references"),
        (lambda c: c["examples"][1].update(item="other"), "the examples differ now: 10 of 15 completions"),
    ],
)
def test_everything_that_an_entry_shows_is_compared(edit, message):
    assert message in wrong_of(edit)


def test_four_false_figures_do_not_hide_among_two_hundred_others():
    many = {f"task_{i}": {"acc": {"value": 0.5, "n": 9, "difference": 0, "low": 0, "high": 0}} for i in range(50)}

    def beside_many(cell):
        cell["side_effects"]["deployed"]["mapped"]["tasks"] = many

    stored, now = whole(), whole()
    for one in (stored, now):
        beside_many(one)
    stored["fidelity"] = {"cosine": 0.99, "fvu": 0.01, "norm": 1.0}
    diff = compare_cells("cell", CellResult.model_validate(stored), CellResult.model_validate(now))
    assert diff.figures > 250
    assert diff.wrong == ("3 of 3 figures of fidelity differ now, such as fidelity.cosine",)


@pytest.mark.parametrize(("turned", "wrong"), [(2, False), (3, True)])
def test_completions_of_examples_may_turn_as_tokens_do(turned, wrong):
    def edit(cell):
        for name in list(cell["bits"])[:turned]:
            cell["examples"][0]["said"][name] = {"completion": "other", "success": True}

    assert ("completions" in wrong_of(edit)) == wrong


def test_a_turned_bit_may_move_the_rate_of_a_small_group_and_is_reported():
    def edit(cell):
        cell["bits"]["mapped"][0][0] = 1 - cell["bits"]["mapped"][0][0]
        cell["rates"]["mapped"]["groups"]["fraud"] = 0.6

    stored = whole()
    edit(stored)
    diff = compare_cells("cell", CellResult.model_validate(stored), CellResult.model_validate(whole()))
    assert diff.report.startswith("cell: 1 of ")
    assert diff.report.endswith("figures differ, such as rates.mapped.groups.fraud")
    assert not diff.wrong


def without(cell, n):
    """A cell that lacks its first prompts."""
    bits = {name: [draw[n:] for draw in draws] for name, draws in cell.bits.items()}
    remaining = {name: getattr(cell, name)[n:] for name in ("prompt_ids", "clusters")}
    return cell.model_copy(update=remaining | {"bits": bits, "n_prompts": len(remaining["prompt_ids"])})


@pytest.mark.parametrize(("lacking", "wrong"), [(8, ()), (9, ("its prompts differ now",))])
def test_bits_are_compared_on_the_prompts_that_both_have(lacking, wrong):
    cell = result()
    for stored, now in ((cell, without(cell, lacking)), (without(cell, lacking), cell)):
        diff = compare_cells("cell", stored, now)
        assert diff.wrong == wrong
        assert diff.bit_mismatches == 0


def test_an_entry_of_version_1_shows_neither_sweeps_nor_examples():
    assert wrong_of(lambda cell: cell.update(sweep={}, examples=[])) == ""
