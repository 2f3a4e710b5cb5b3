"""A leaderboard stays whole however a submission ends: as it was before, or with the new entry."""

import shutil
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.results.entry_files import read_entry
from graftbench.leaderboard.entries import file_name
from graftbench.leaderboard.mapper_files import MAPPERS, stored_mapper_mismatches, stray_mappers
from graftbench.leaderboard.submit import submit
from tests.leaderboard.planted import entry, of, run_of, suite_of

STEPS = {Path: ("rename", "replace", "mkdir", "write_bytes", "write_text"), shutil: ("copy2",)}


def files_below(folder):
    """Everything below a folder."""
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


@contextmanager
def failing(monkeypatch, first, forever=False):
    """Whatever writes fails from the step with this number on, or at it alone; says whether it came to that."""
    done, came = [0], []

    def instead(original):
        def step(*arguments, **more):
            done[0] += 1
            if done[0] == first or (forever and done[0] > first):
                came.append(original.__name__)
                raise OSError(28, "No space left on device")
            return original(*arguments, **more)

        return step

    with monkeypatch.context() as patched:
        for where, names in STEPS.items():
            for name in names:
                patched.setattr(where, name, instead(getattr(where, name)))
        yield came


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Three runs: of a mapper, of the same fitted otherwise, and of another."""
    folder = tmp_path_factory.mktemp("runs")
    for name, submission in (("mine", of(0.5)), ("again", of(0.6)), ("other", of(0.7))):
        run_of(folder / name, entry("other" if name == "other" else "mine", *submission))
    (folder / "again" / "mappers" / "cell" / "mapper.safetensors").write_bytes(b"fitted otherwise")
    return folder


@pytest.fixture(autouse=True)
def without_rows(monkeypatch):
    """Rows are looked at elsewhere, and take their time."""
    monkeypatch.setattr("graftbench.leaderboard.submit.row_mismatches", lambda *_: [])


CASES = [([], "mine"), (["mine"], "mine"), (["mine"], "again"), (["mine"], "other")]


@pytest.mark.parametrize(("before", "then"), CASES)
def test_a_step_that_fails_puts_back_what_was_there(tmp_path, monkeypatch, runs, before, then):
    for name in before:
        submit(runs / name, tmp_path / "board")
    known = files_below(tmp_path)
    for step in range(1, 100):
        with failing(monkeypatch, step) as came, suppress(UserError):
            submit(runs / then, tmp_path / "board")
        if not came:
            break
        assert files_below(tmp_path) == known, came
    assert step > 5
    assert files_below(tmp_path) != known or before == [then]
    assert_whole(tmp_path / "board")
    assert stray_mappers(tmp_path / "board", entries(tmp_path / "board")) == []


@pytest.mark.parametrize(("before", "then"), CASES)
def test_where_nothing_can_be_put_back_no_entry_stands_with_the_files_of_another(
    tmp_path, monkeypatch, runs, before, then
):
    for step in range(1, 100):
        board = tmp_path / str(step)
        for name in before:
            submit(runs / name, board)
        with failing(monkeypatch, step, forever=True) as came, suppress(UserError):
            submit(runs / then, board)
        assert_whole(board)
        if not came:
            break
    assert step > 5


def entries(board):
    return [read_entry(path) for path in (board / "entries").glob("*.json")]


def assert_whole(board):
    for submission in entries(board):
        assert stored_mapper_mismatches(submission, board / MAPPERS / file_name(submission).removesuffix(".json")) == []


@pytest.mark.parametrize("most", [0, 5, 200, 5000])
def test_a_full_disk_leaves_a_leaderboard_as_it_was(tmp_path, runs, most):
    resource = pytest.importorskip("resource")
    submit(runs / "mine", tmp_path / "board")
    known = files_below(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))  # a file may not grow beyond this
    try:
        with pytest.raises(UserError, match="cannot be written: File too large"):
            submit(runs / "again", tmp_path / "board")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert files_below(tmp_path) == known


@pytest.mark.parametrize("name", ["entries", "mappers", "suites", "."])
def test_a_file_in_the_place_of_a_folder_is_reported_and_nothing_is_left(tmp_path, runs, name):
    (tmp_path / "board" / name).parent.mkdir(exist_ok=True)
    (tmp_path / "board" / name).write_text("") if name != "." else (tmp_path / "board").touch()
    known = files_below(tmp_path)
    with pytest.raises(UserError, match="cannot be written: "):
        submit(runs / "mine", tmp_path / "board")
    assert files_below(tmp_path) == known


def test_what_was_fitted_otherwise_takes_the_place_of_what_was_there(tmp_path, runs):
    path = submit(runs / "mine", tmp_path).path
    assert submit(runs / "again", tmp_path).path == path
    assert (tmp_path / "mappers" / path.stem / "cell" / "mapper.safetensors").read_bytes() == b"fitted otherwise"
    assert_whole(tmp_path)


def test_a_leaderboard_has_one_suite_of_a_name(tmp_path, runs):
    submit(runs / "mine", tmp_path / "board")
    known = files_below(tmp_path / "board")
    suite, advice = suite_of(max_new_tokens=9), "one that measures something else needs another `name`"
    there = f"there is a suite called pocket already, and it is {suite_of().hash}, not {suite.hash}: {advice}"
    run = Path(run_of(tmp_path / "run", entry("mine", *of(0.5), suite=suite), suite))
    with pytest.raises(UserError, match=there):
        submit(run, tmp_path / "board")
    assert files_below(tmp_path / "board") == known
    (tmp_path / "board" / "suites" / "pocket.json").write_text(suite.model_dump_json())  # that of no entry
    with pytest.raises(UserError, match=there):
        submit(runs / "mine", tmp_path / "board")
    shutil.rmtree(tmp_path / "board" / "entries")  # the suite has none any more
    assert submit(runs / "mine", tmp_path / "board").first
    assert files_below(tmp_path / "board") == known


def test_an_entry_of_another_name_than_it_should_have_is_reported(tmp_path, runs):
    path = submit(runs / "mine", tmp_path).path
    path.rename(path.with_name("best.json"))
    with pytest.raises(UserError, match=f"best.json should be called {path.name}"):
        submit(runs / "other", tmp_path)
