from graftbench.judges.protocol import Case
from graftbench.judges.similarity import Chrf, Repetition


def scores(judge, *completions, reference="the blue heron"):
    return [verdict.score for verdict in judge([Case("p", said, reference) for said in completions])]


def test_likeness_is_1_for_the_same_and_falls_with_what_is_missing():
    same, half, none = scores(Chrf(), "the blue heron", "the blue", "xyz")
    assert same == 1
    assert 0 < half < 1
    assert none < 0.1


def test_text_that_goes_round_in_circles_scores_low():
    fresh, circle, short, nothing = scores(
        Repetition(), "To paint the fence, first get the brush.", "you you " * 20, "Hello.", " "
    )
    assert fresh == 1
    assert circle < 0.1
    assert (short, nothing) == (1, 0)
