import io
import json

import pytest
from rich.console import Console

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.runs.folder import FinishedRun
from graftbench.pytest_plugin import closing
from graftbench.pytest_plugin.closing import close_session
from graftbench.pytest_plugin.mappers import planned_mappers
from graftbench.pytest_plugin.names import Asked
from tests.benchmark.runs.test_entry import failed, result, some
from tests.leaderboard.planted import entry


@pytest.fixture
def close(tmp_path, monkeypatch):
    """Closes a session of ridge and procrustes, given what came out of each."""
    monkeypatch.chdir(tmp_path)

    def close(**outcomes):
        def gather(request, *_):
            if isinstance(outcomes[request.mapper.name], UserError):
                raise outcomes[request.mapper.name]
            cells = outcomes[request.mapper.name]
            return FinishedRun(
                entry(request.mapper.name, *(cells if isinstance(cells, list) else [cells])),
                tmp_path / request.mapper.name,
            )

        monkeypatch.setattr(closing, "gather", gather)
        return close_session([(one, one.cells, None) for one in planned_mappers(Asked(tuple(outcomes)))], 1.0)

    return close


def test_mappers_that_were_measured_alike_are_ranked(close, tmp_path):
    found = close(ridge=result(mapped=0.8), procrustes=result(mapped=0.2))
    assert found.problems == []
    board = json.loads((tmp_path / "runs" / "pocket-leaderboard.json").read_text())
    ranked = board["suites"]["pocket"]["scores"]["fitted"]
    assert [(row["mapper"], row["rank"]) for row in ranked] == [("ridge", [1, 1]), ("procrustes", [2, 2])]


def test_mappers_that_were_not_measured_alike_are_told(close):
    cell = result()
    other = cell.model_copy(update={"bits": cell.bits | {"unsteered": [some(0.5)]}})
    ((name, told),) = close(ridge=cell, procrustes=other).problems
    assert name == "comparable"
    assert told.endswith("the answers under unsteered differ")


def test_a_folder_that_cannot_be_written_leaves_the_others(close):
    found = close(ridge=UserError("no room"), procrustes=result())
    assert found.problems == [("ridge::written", "no room")]
    assert [run.entry.mapper.name for run in found.runs] == ["procrustes"]


def test_scores_over_other_tasks_have_no_leaderboard(close):
    other = result().model_copy(update={"task": "refusal_ablation"})
    ((name, told),) = close(ridge=result(), procrustes=other).problems
    assert (name, "their tasks differ" in told) == ("leaderboard", True)


def test_a_mapper_with_a_failed_cell_is_told_without_a_rank(close):
    broken = [result(mapped=0.9), failed()]
    found = close(ridge=broken, procrustes=[result(mapped=0.2, seed=s) for s in range(3)])
    assert found.problems == []
    text = io.StringIO()
    found.print(Console(file=text, width=200))
    ranked = {row["mapper"]: row["rank"] for row in found.ranking["scores"]["fitted"]}
    assert ranked == {"procrustes": [1, 1], "ridge": None}
    assert "no rank: 1 of 2 cells failed" in text.getvalue()
