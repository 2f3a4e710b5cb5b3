"""Numbers of bytes in words."""

import pytest

from graftbench.benchmark.core.size_text import size_text


@pytest.mark.parametrize(
    ("n_bytes", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "0.98 KiB"),
        (47_185_920, "45.0 MiB"),
        (1.5 * 2**30, "1.50 GiB"),
        (10 * 2**30 - 1, "10.0 GiB"),
        (350 * 2**30, "350 GiB"),
        (5000 * 2**40, "5000 TiB"),
    ],
)
def test_a_size_has_the_largest_unit_and_three_digits(n_bytes, text):
    assert size_text(n_bytes) == text
