"""Text from files cannot control the terminal that shows it."""

import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.escaping import escape_control, in_one_line


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("as it is: Zürich – 東京", "as it is: Zürich – 東京"),
        ("x\nNo row is other.\r", "x\\nNo row is other.\\r"),
        ("\x1b[8mhidden\x9b2J", "\\x1b[8mhidden\\x9b2J"),
        ("gnp\u202egpj.exe\u2028", "gnp\\u202egpj.exe\\u2028"),
        ("\udcff.json", "\\udcff.json"),
    ],
)
def test_characters_that_are_not_printed_are_escaped(text, escaped):
    assert escape_control(text) == escaped
    assert str(UserError(f"{text} is wrong.")) == f"{escaped} is wrong."
    escaped.encode()


def test_characters_to_keep_are_not_escaped():
    assert escape_control("one\n\ttwo\x07", keep="\n\t") == "one\n\ttwo\\x07"


def test_a_reason_is_one_line_of_no_more_than_a_thousand_characters():
    assert in_one_line("ValueError: no\nnor yes") == "ValueError: no\\nnor yes"
    assert len(in_one_line("x" * 5000)) == 1000
