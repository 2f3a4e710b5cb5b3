"""Side effects as jobs of their own, in a whole run, small: what is shared, what is gone on with, what fails."""

import pytest
import yaml

from graftbench.benchmark.models.shipped import WEIGHTS
from graftbench.benchmark.results.entry_files import read_entry
from graftbench.benchmark.results.schema import NOT_STEERABLE, Missing, SideEffects
from graftbench.benchmark.runs import job_functions
from graftbench.cli.main import main
from tests.benchmark.runs.test_run import SUITE
from tests.in_process import in_process

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not WEIGHTS.is_dir(), reason="no trained zoo here: `graftbench zoo train` makes it"),
]
MEASURED = {"tasks": ["pocket_squad"], "limit": 3, "prompts": 2, "texts": 2}
WITHOUT_MAPPER = ("unsteered", "native", "random")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    (folder / "small.yaml").write_text(yaml.safe_dump(SUITE | {"side_effects": MEASURED}))
    return folder


@pytest.fixture(autouse=True)
def cached(home, monkeypatch):
    monkeypatch.setenv("GRAFTBENCH_CACHE", str(home / "cache"))


def score(home, mapper="ridge", out="run"):
    with in_process():
        return main(["score", mapper, "--suite", str(home / "small.yaml"), "--out", str(home / out)])


def cells_of(home, out):
    return read_entry(home / out / "entry.json").cells


@pytest.fixture
def whole(home):
    """The cells of a run that nobody disturbed."""
    assert score(home) == 0
    return cells_of(home, "run")


@pytest.fixture
def graded(monkeypatch):
    """The deployments that tasks of lm-eval are asked under, by name of their condition."""
    from graftbench.benchmark.capability import evaluation

    names, evaluate = [], evaluation.evaluate
    monkeypatch.setattr(
        evaluation,
        "evaluate",
        lambda model, deployed, *more: names.append(deployed.condition.name) or evaluate(model, deployed, *more),
    )
    return names


def test_conditions_without_the_mapper_are_measured_once_for_all_cells_and_mappers(home, whole, graded):
    assert all(isinstance(cell.side_effects, SideEffects) for cell in whole)
    assert score(home, "identity", "second") == 0
    second = cells_of(home, "second")
    assert graded
    assert not set(WITHOUT_MAPPER) & set(graded)
    for cell, first in zip(second, whole, strict=True):
        assert {name: cell.side_effects.deployed[name] for name in WITHOUT_MAPPER} == {
            name: first.side_effects.deployed[name] for name in WITHOUT_MAPPER
        }
        assert list(cell.side_effects.deployed) == ["unsteered", "native", "mapped", "random", "replacement"]


def test_a_run_that_was_stopped_between_success_and_side_effects_goes_on_there(home, whole, monkeypatch):
    def stopped(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(job_functions, "run_side_effects", stopped)
        assert score(home, out="stopped") == 130
    assert not (home / "stopped" / "entry.json").exists()
    there = {path.stem for path in (home / "stopped").glob("parts/*/*.json")}
    scored, score_cell = [], job_functions.score_cell
    with monkeypatch.context() as patch:
        patch.setattr(job_functions, "run_reference", stopped)
        patch.setattr(
            job_functions, "score_cell", lambda cell, *more: scored.append(cell.folder) or score_cell(cell, *more)
        )
        assert score(home, out="stopped") == 0
    assert there
    assert len(there) + len(scored) == len({*there, *scored}) == len(whole)
    assert cells_of(home, "stopped") == whole
    assert (home / "stopped" / "rows.parquet").read_bytes() == (home / "run" / "rows.parquet").read_bytes()


def test_a_cell_whose_side_effects_fail_has_failed(home, whole, monkeypatch, capsys):
    def broken(cell, *_):
        raise ValueError(f"no {cell.track}")

    with monkeypatch.context() as patch:
        patch.setattr(job_functions, "run_side_effects", broken)
        assert score(home, out="failed") == 1
    assert [cell.reason for cell in cells_of(home, "failed")] == ["ValueError: no task", "ValueError: no unseen"]
    assert all(not cell.bits for cell in cells_of(home, "failed"))
    assert score(home, out="failed") == 0
    assert cells_of(home, "failed") == whole


def test_where_a_cell_cannot_be_steered_nothing_is_measured(home, graded):
    suite = yaml.safe_load((home / "small.yaml").read_text()) | {"name": "weak"}
    suite["tasks"]["backdoor_removal"]["settings"] |= {"strengths": [0.001]}
    (home / "weak.yaml").write_text(yaml.safe_dump(suite))
    with in_process():
        main(["score", "ridge", "--suite", str(home / "weak.yaml"), "--out", str(home / "weak")])
    assert [cell.side_effects for cell in cells_of(home, "weak")] == [Missing(reason=NOT_STEERABLE)] * 2
    assert graded == []
