from pathlib import Path

import numpy as np
import pytest

from graftbench.judges import intact
from graftbench.judges.gold import thresholds
from graftbench.judges.gold.readings import LabelReading, readers_agreement
from graftbench.judges.gold.report import JUDGES, calibration_of
from graftbench.judges.gold.thresholds import WORDS, Choice, Thresholds

DOCS = Path(__file__).parents[2] / "docs" / "judges.md"


@pytest.fixture(scope="module")
def choice():
    return Choice()


def test_the_thresholds_that_ship_are_those_that_are_chosen(choice):
    shipped = (f"{intact.RUN} characters", intact.MIN_NOVELTY, intact.MAX_PERPLEXITY, intact.MIN_CHRF)
    assert choice.thresholds == Thresholds(*shipped)


def test_runs_of_characters_agree_better_with_the_labels_than_runs_of_words(choice):
    words = Choice(WORDS).on_other_prompts
    assert all(kappa.value > words[measure].value for measure, kappa in choice.on_other_prompts.items())


def test_on_prompts_left_out_kappa_is_not_above_the_kappa_of_all(choice):
    for measure, left_out in choice.on_other_prompts.items():
        assert left_out.low < left_out.value < left_out.high
        assert left_out.value <= calibration_of("smollm2", measure).kappa.value + 1e-3


def test_the_documentation_has_the_figures(choice):
    text = DOCS.read_text(encoding="utf-8")
    for measure, judge in JUDGES["smollm2"].items():
        figures = (choice.on_other_prompts[measure], readers_agreement("smollm2", measure).kappa)
        cells = " | ".join(f"{f.value:.2f} ({f.low:.2f} to {f.high:.2f})" for f in figures)
        assert f"| `{judge}` | `{measure}` | {cells} |" in text
    by_kind = calibration_of("smollm2", "good").by_kind
    right, n = by_kind["in other words"]
    seen, changed = by_kind["changed"]
    other, of = by_kind["another prompt's answer"]
    assert f"missed {n - right} of {n} right answers" in text
    assert f"passed {changed - seen} of {changed} wrong ones" in text
    assert f"right on {other} of {of} answers to another prompt" in text


def test_nothing_is_learnt_from_the_prompt_that_is_left_out(monkeypatch):
    """The one prompt whose labels follow from a high perplexity is judged by what the others say."""

    def read(prompt, perplexity, label):
        words = f"A reply to {prompt} of {perplexity}."
        labels = {"intact": label, "good": label}
        return LabelReading(
            prompt=prompt, completion=words, clean=words, perplexity=perplexity, readings=(labels, labels)
        )

    usual = [read(f"p{i}", perplexity, label) for i in range(5) for perplexity, label in ((5.0, 1), (90.0, 0))]
    odd = [read("odd", perplexity, label) for perplexity, label in ((90.0, 1), (400.0, 0))]
    monkeypatch.setattr(thresholds, "readings", lambda _: [*usual, *odd])
    figure = Choice().on_other_prompts["intact"]
    assert figure.value == pytest.approx((11 / 12 - 1 / 2) / (1 - 1 / 2))  # only (90, 1) is judged wrongly


def test_a_label_on_which_readers_differ_is_not_counted():
    labels, verdicts = np.array([1.0, 0.0, np.nan]), np.array([True, True, True])
    assert thresholds._counts(labels, verdicts).sum(-1).tolist() == [1, 0, 0, 1]
