"""What comes from files is shown in a terminal, and moves nothing in it."""

import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.text import in_one_line, visible


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("as it is: Zürich – 東京", "as it is: Zürich – 東京"),
        ("x\nNo row is other.\r", "x\\nNo row is other.\\r"),
        ("\x1b[8mhidden\x9b2J", "\\x1b[8mhidden\\x9b2J"),
        ("gnp\u202egpj.exe\u2028", "gnp\\u202egpj.exe\\u2028"),
        ("\udcff.json", "\\udcff.json"),
    ],
)
def test_what_is_not_seen_is_written_out(text, told):
    assert visible(text) == told
    assert str(UserError(f"{text} is wrong.")) == f"{told} is wrong."
    told.encode()


def test_lines_stay_lines_where_they_are_asked_for():
    assert visible("one\n\ttwo\x07", keep="\n\t") == "one\n\ttwo\\x07"


def test_a_reason_is_one_line_of_no_more_than_a_thousand_characters():
    assert in_one_line("ValueError: no\nnor yes") == "ValueError: no\\nnor yes"
    assert len(in_one_line("x" * 5000)) == 1000
