import logging
from pathlib import Path

import pytest

from graftbench.benchmark.core.errors import _Log


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device here is always full")
def test_a_log_that_cannot_be_written_is_one_sentence(capsys):
    handler = _Log("/dev/full")
    handler.handle(logging.LogRecord("graftbench", logging.ERROR, "", 0, "what was wrong", (), None))
    assert (
        capsys.readouterr().err
        == "graftbench: the log /dev/full cannot be written: [Errno 28] No space left on device.\n"
    )
    handler.stream = None  # what it holds can never be flushed
