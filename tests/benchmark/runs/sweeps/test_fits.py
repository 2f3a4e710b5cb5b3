"""Sweeps of fits, on the cells of a small suite."""

import json

import pytest
import yaml

from graftbench.benchmark.models.shipped import WEIGHTS
from graftbench.benchmark.runs.sweeps.fits import SHARES, Refit, _variations
from graftbench.cli.main import main
from tests.benchmark.runs.test_run import SUITE
from tests.in_process import in_process


def test_over_fit_sizes_the_share_grows_and_over_seeds_all_texts_are_used():
    assert _variations("fit-size") == [(share, 0) for share in SHARES]
    assert SHARES[-1] == 1
    assert {share for share, _ in _variations("seed")} == {1.0}
    assert len({seed for _, seed in _variations("seed")}) >= 3


def test_a_fit_is_named_by_what_it_differs_in():
    fit = Refit(0.05, 3, 10, None, None, None, None, None, None, None)
    assert (fit.at("fit-size"), fit.at("seed")) == ("0.05", "3")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--over", "seed"], "A sweep over seed needs --mapper."),
        (["--over", "site", "--mapper", "ridge"], "A sweep over site fits no mapper: leave out --mapper."),
        (["--over", "seed", "--mapper", "ridge"], "ridge is deterministic: every seed gives the same fit."),
    ],
)
def test_what_makes_no_sense_is_told_in_one_sentence(arguments, told, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("GRAFTBENCH_CACHE", str(tmp_path))
    assert main(["sweep", *arguments, "--out", str(tmp_path / "out")]) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.skipif(not WEIGHTS.is_dir(), reason="no trained zoo here: `graftbench zoo train` makes it")
def test_a_sweep_fits_on_ever_more_text_and_another_goes_over_positions(tmp_path, monkeypatch):
    monkeypatch.setenv("GRAFTBENCH_CACHE", str(tmp_path / "cache"))
    suite = yaml.safe_load(yaml.safe_dump(SUITE))
    cell = suite["tasks"]["backdoor_removal"]["cells"][0]
    cell["tracks"] = ["task"]
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(suite))
    out = tmp_path / "sweep"
    more = ["--suite", str(tmp_path / "small.yaml"), "--out", str(out)]
    with in_process():
        assert main(["sweep", "--over", "fit-size", "--mapper", "ridge", *more]) == 0
    (found,) = json.loads((out / "fit-sizes.json").read_text())
    assert [fit["share"] for fit in found["fits"]] == list(SHARES)
    pairs = [fit["pairs"] for fit in found["fits"]]
    assert pairs == sorted(set(pairs))
    assert found["fits"][-1]["transfer"][0] == 1
    assert (out / "fit-sizes.png").stat().st_size > 1000
    with in_process():
        assert main(["sweep", "--over", "position", *more]) == 0
    swept = json.loads((out / "positions.json").read_text())
    assert {point["position"] for point in swept[0]["points"]} == {"trigger", "prompt", -6, -5, -4, -3, -2, -1}
    native = {point["position"]: point["native"] for point in swept[0]["points"]}
    assert native["trigger"] > native[-1]  # the last token is the format's, past the trigger
    assert swept[0]["best"] in ("trigger", "prompt")  # every token of the prompt: the trigger's are among them
