"""The suites `paper` and `laptop`, as far as they can be tried without the Hub: on tiny models in its place."""

import huggingface_hub.constants
import pytest
import yaml

from graftbench.benchmark.data.rows import DATA_VARIABLE
from graftbench.benchmark.results.entry_files import read_entry
from graftbench.benchmark.runs.suite import SUITES, read_suite
from graftbench.cli.main import main
from tests.benchmark.runs.hub_models import in_the_cache, write_model
from tests.benchmark.runs.published_data import write_mirror
from tests.in_process import in_process
from tests.judges.llm.stub import Stub, good

pytestmark = pytest.mark.slow
NAMES = ("paper", "laptop")
SMALL = {"vector": 6, "validation": 3, "test": 4, "fit": 20, "strengths": [1.0], "compared": 2, "noise": 2}
SMALL |= {"draws": {"test": 2, "validation": 1, "contrast": 1}, "refusal_validation": 3}
ANY_ANSWER = r"pattern:\A"  # what untrained models say is good to nobody


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with every model of both suites, in a cache of the Hub or in ./organisms, and all data."""
    folder = tmp_path_factory.mktemp("home")
    written = set()
    specs = [(family, spec) for name in NAMES for family, of in read_suite(name).models.items() for spec in of.values()]
    for seed, (family, spec) in enumerate(specs):
        if spec.model in written:
            continue
        written.add(spec.model)
        if spec.model.startswith("./"):
            write_model(folder / spec.model, family, seed)
        else:
            in_the_cache(folder / "hub", spec, family, seed)
    (folder / "data").mkdir()
    write_mirror(folder / "data")
    return folder


@pytest.fixture(autouse=True)
def offline(home, monkeypatch):
    """The cache and the mirror, without a network; workers are processes of their own."""
    monkeypatch.chdir(home)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(home / "hub"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    for name, value in {
        "HF_HUB_CACHE": str(home / "hub"),
        "HF_HUB_OFFLINE": "1",
        DATA_VARIABLE: str(home / "data"),
        "GRAFTBENCH_CACHE": str(home / "cache"),
        "OPENAI_API_KEY": "none is asked",
        "COLUMNS": "250",
    }.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def server(monkeypatch):
    """A server that finds every reply humorous, and else gives the first of the labels that it may give."""
    stub = Stub(lambda body, _: (200, good(_verdict(body))))
    monkeypatch.setenv("OPENAI_BASE_URL", stub.url)
    yield stub
    stub.http.shutdown()
    stub.http.server_close()


def _verdict(body):
    labels = body["response_format"]["json_schema"]["schema"]["properties"]["verdict"]["enum"]
    return "humorous" if "humorous" in labels else labels[0]


def small(name):
    """A suite with the last cell of each task alone, on few prompts; the other judges are its own."""
    written = yaml.safe_load((SUITES / f"{name}.yaml").read_text())
    for task_name, task in written["tasks"].items():
        task["settings"] |= {key: value for key, value in SMALL.items() if key in task["settings"]}
        task["settings"] |= {"lora_steps": 2} if task_name == "version_switching" else {}
        task["cells"] = [task["cells"][-1] | {"tracks": ["task"]}]
        if "judges" in task:
            task["judges"] |= {"good": ANY_ANSWER}
    written |= {"max_new_tokens": 4, "seeds": 1}
    return written


@pytest.mark.parametrize(("name", "n_cells", "n_needed"), [("paper", 54, 25), ("laptop", 27, 8)])
def test_a_dry_run_names_all_cells_and_finds_all_that_they_need(name, n_cells, n_needed, capsys):
    assert main(["score", "ridge", "--suite", name, "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert f"{n_cells} cells of" in said
    assert "are not here yet" not in said
    needed = [line for line in said.splitlines() if line.startswith("│")]
    assert len(needed) == n_needed
    assert all("│ yes  │" in line for line in needed)
    assert main(["fetch", name]) == 0
    assert capsys.readouterr().out.count("│ yes  │") == n_needed


@pytest.mark.parametrize("name", NAMES)
def test_every_task_runs_to_an_entry(name, home, server):
    (home / f"small-{name}.yaml").write_text(yaml.safe_dump(small(name)))
    out = home / f"run-{name}"
    with in_process():
        status = main(["score", "ridge", "--suite", f"small-{name}.yaml", "--out", str(out)])
    entry = read_entry(out / "entry.json")
    assert [(cell.task, cell.status, cell.reason) for cell in entry.cells if cell.status != "ok"] == []
    assert status == 0
    assert bool(server.bodies) == (name == "paper")
    assert {cell.task for cell in entry.cells} == set(read_suite(name).tasks)


@pytest.mark.parametrize("name", NAMES)
def test_no_model_is_told_to_be_here_where_none_is(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    assert main(["score", "ridge", "--suite", name, "--dry-run"]) == (2 if name == "paper" else 0)
    said = capsys.readouterr()
    models = [line for line in said.out.splitlines() if line.startswith("│ model")]
    assert all("│ no " in line for line in models)
    if name == "paper":  # what only a training makes is no name on the Hub
        assert "there is no such folder" in said.out
        assert "There is no folder ./organisms/" in said.err
    assert main(["fetch", name, "--list"]) == 1
