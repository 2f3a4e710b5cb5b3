import pytest

from graftbench.benchmark.core.byte_sizes import size_in_words


@pytest.mark.parametrize(
    ("n_bytes", "words"),
    [(0, "0 bytes"), (900, "900 bytes"), (1536, "1.5 KiB"), (300 * 2**20, "300 MiB"), (1.25 * 2**30, "1.2 GiB")],
)
def test_a_small_size_is_not_0_of_a_large_unit(n_bytes, words):
    assert size_in_words(n_bytes) == words
