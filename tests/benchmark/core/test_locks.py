"""A folder has one process at a time that writes to it."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.locks import locked, one_at_a_time


def test_a_second_run_in_a_folder_is_refused_at_once_and_one_after_the_first_is_not(tmp_path):
    for _ in range(2):
        with locked(tmp_path / "run"):
            with pytest.raises(UserError, match="Another run is writing to .*run. Wait for it"):  # noqa: SIM117
                with locked(tmp_path / "run"):
                    pass
            with locked(tmp_path / "other"):
                pass


def test_a_run_that_fails_lets_its_folder_go(tmp_path):
    with pytest.raises(ZeroDivisionError) as error, locked(tmp_path):
        raise ZeroDivisionError
    with locked(tmp_path):  # while the error with its frames is still there
        assert error.value.args == ()


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(UserError, match="cannot be written to: Not a directory. Name another"),
        locked(tmp_path / "file" / "run"),
    ):
        pass


def test_a_change_of_a_folder_waits_for_the_one_before_and_leaves_no_lock_in_it(tmp_path, monkeypatch):
    monkeypatch.setenv("GRAFTBENCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "board").mkdir()
    began = threading.Event()

    def waits():
        with one_at_a_time(tmp_path / "board"):
            began.set()

    with ThreadPoolExecutor(1) as pool:
        with one_at_a_time(tmp_path / "board"):
            waiting = pool.submit(waits)
            assert not began.wait(0.2)
            with one_at_a_time(tmp_path / "another"):
                pass
        waiting.result(timeout=10)
    assert began.is_set()
    assert not list((tmp_path / "board").iterdir())
