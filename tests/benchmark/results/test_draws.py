"""Bits are packed as strings, and read like the lists of lists that they were."""

import pytest
from pydantic import TypeAdapter, ValidationError

from graftbench.benchmark.results.draws import Draws

ROWS = [[0, 1, 1, 0], [1, 1, 1, 0]]
DRAWS = Draws(["0110", "1110"])


def test_packed_bits_read_like_lists():
    assert Draws.of(ROWS) == DRAWS == ROWS
    assert list(DRAWS) == ROWS
    assert len(DRAWS) == 2
    assert DRAWS[1] == [1, 1, 1, 0]
    assert DRAWS[:1] == [ROWS[0]]
    assert DRAWS != [[0, 1, 1, 0]]


def test_equal_bits_are_found_by_their_hash():
    assert {DRAWS: "known"}[Draws.of(ROWS)] == "known"
    assert len({DRAWS, Draws.of(ROWS), DRAWS[:1]}) == 2


def test_the_array_is_that_of_the_lists():
    assert DRAWS.array.tolist() == ROWS
    assert DRAWS.array.dtype == float
    with pytest.raises(ValueError, match="read-only"):
        DRAWS.array[0, 0] = 1


def test_some_prompts_are_kept():
    assert DRAWS.kept([0, 3]) == [[0, 0], [1, 0]]
    assert DRAWS.kept([]) == [[], []]


def test_bits_are_checked_and_written_as_lists():
    form = TypeAdapter(Draws)
    assert form.validate_json("[[0,1,1,0],[1,1,1,0]]") == DRAWS
    assert form.validate_python(DRAWS) is DRAWS
    assert form.dump_json(DRAWS) == b"[[0,1,1,0],[1,1,1,0]]"
    for wrong in ("[[0,2]]", "[[0,-1]]", "[[10]]", '["01"]', "[0,1]"):
        with pytest.raises(ValidationError):
            form.validate_json(wrong)
