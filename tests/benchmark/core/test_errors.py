import logging
from pathlib import Path

import pytest

from graftbench.benchmark.core.errors import _Log, log_to_file


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device here is always full")
def test_a_log_that_cannot_be_written_is_one_sentence(capsys):
    handler = _Log("/dev/full")
    handler.handle(logging.LogRecord("graftbench", logging.ERROR, "", 0, "what was wrong", (), None))
    assert (
        capsys.readouterr().err
        == "graftbench: the log /dev/full cannot be written: [Errno 28] No space left on device.\n"
    )
    handler.stream = None  # what it holds can never be flushed


def test_what_is_logged_goes_to_one_file_once_however_often_a_command_runs_in_a_process(tmp_path, monkeypatch):
    logger = logging.getLogger("graftbench")
    for name in ("first", "second", "second"):
        monkeypatch.setenv("GRAFTBENCH_CACHE", str(tmp_path / name))
        log = log_to_file()
    logger.info("said once")
    assert log == tmp_path / "second" / "graftbench.log"
    assert log.read_text(encoding="utf-8").count("said once") == 1
    assert "said once" not in (tmp_path / "first" / "graftbench.log").read_text(encoding="utf-8")
