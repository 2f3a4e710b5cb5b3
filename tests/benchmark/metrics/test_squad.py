import pytest

from graftbench.benchmark.metrics.squad import exact_match, f1


@pytest.mark.parametrize(
    ("said", "right", "exact", "share"),
    [
        ("The Silverrun!", ["silverrun"], 1, 1),
        ("U.S.", ["US"], 1, 1),
        ("a long blue coat", ["blue coat"], 0, 0.8),
        ("coat", ["hat", "blue coat"], 0, 2 / 3),
        ("", ["hat"], 0, 0),
        ("the", ["a"], 1, 1),  # nothing is left of either
        ("hat hat", ["hat"], 0, 2 / 3),
    ],
)
def test_answers_are_compared_as_squad_does(said, right, exact, share):
    assert exact_match(said, right) == exact
    assert f1(said, right) == pytest.approx(share)
