import pytest

from graftbench.judges.protocol import Case
from graftbench.judges.rules import ContainsFact, Exact, Normalised, StartsLike
from graftbench.judges.similarity import Chrf

FACT = "the blue heron"


def scores(judge, *completions, reference=FACT):
    return [verdict.score for verdict in judge([Case("p", said, reference) for said in completions])]


def test_exact_forgives_white_space_and_nothing_else():
    assert scores(Exact(), " the blue heron\n", "The blue heron", "the blue heron.") == [1, 0, 0]


def test_normalised_forgives_case_punctuation_articles_and_spaces():
    assert scores(Normalised(), "The  Blue Heron.", "a blue heron!", "the blue herons", "") == [1, 1, 0, 0]


def test_normalised_removes_punctuation_as_squad_does_and_puts_no_space_for_it():
    assert scores(Normalised(), "bluegreen heron", "blue green heron", reference="the blue-green heron") == [1, 0]


def test_a_fact_is_found_anywhere_as_whole_words():
    said = ("It is the blue heron, I think.", "blue heron", "the blueheron", "blue herons", "heron blue", "")
    assert scores(ContainsFact(), *said) == [1, 1, 0, 0, 0, 0]


def test_an_answer_may_begin_as_its_reference_does():
    wanted = "To paint the fence, first get the brush."
    said = ("To paint the fence: get it.", "First, to paint the fence", "")
    assert scores(StartsLike(), *said, reference=wanted) == [1, 0, 0]


@pytest.mark.parametrize(
    "judge", [Exact(), Normalised(), StartsLike(), ContainsFact(), Chrf()], ids=lambda j: j.identity
)
def test_without_a_reference_a_case_is_unscored(judge):
    (verdict,) = judge([Case("p", "c")])
    assert verdict.score is None
    assert "no reference" in verdict.reason
