import pytest

from graftbench.benchmark.metrics.statistics import wilson
from graftbench.leaderboard.own_figures import Ours, over_seeds, own_figure
from graftbench.leaderboard.published import Here
from tests.benchmark.runs.test_entry import N
from tests.leaderboard.paper_runs import cell, effects, suite

GONE, SHOWN = Here(of="part", name="gone"), Here(of="part", name="shown")


def test_a_part_of_success_has_the_interval_of_its_prompts():
    native = own_figure(cell({"native": 0.95}), "native", GONE, suite())
    assert (native.value, native.n) == (0.95, N)
    assert (native.low, native.high) == wilson(152, 160)
    assert own_figure(cell({"unsteered": 0.05}), "unsteered", SHOWN, suite()).value == 0.95


def test_a_part_over_several_draws_has_no_interval():
    random = own_figure(cell({"random": 0.6}), "random", GONE, suite())
    assert random == Ours(0.6, n=16 * N)


def test_a_further_verdict_is_read_by_its_mark():
    assert own_figure(cell(), "native", Here(of="mark", name="quoted"), suite()).value == 0.25
    assert own_figure(cell(), "native", Here(of="mark", name="C"), suite()) is None


def test_a_figure_of_replacement_belongs_to_that_condition_alone():
    replaced = cell(fidelity={"replaced_kl": 0.5, "replaced_n": 16.0})
    kl = Here(of="fidelity", name="replaced_kl")
    assert own_figure(replaced, "replacement", kl, suite()) == Ours(0.5, n=16)
    assert own_figure(replaced, "mean_ablated", kl, suite()) is None
    assert own_figure(cell(), "replacement", kl, suite()) is None


@pytest.mark.parametrize(("corpus", "value"), [("pile", 16.0), ("wikitext", None)])
def test_a_perplexity_is_of_the_corpus_that_the_suite_names(corpus, value):
    measured = suite(side_effects={"tasks": [], "corpus": corpus, "texts": 64})
    ours = own_figure(cell(side_effects=effects(16.0)), "mapped", Here(of="perplexity", name="pile"), measured)
    assert ours == (None if value is None else Ours(value, n=64))


def test_a_share_of_documents_has_an_interval():
    mmlu = Here(of="documents", name="mmlu_condensed", metric="acc")
    ours = own_figure(cell(side_effects=effects(mmlu=0.25)), "replacement", mmlu, suite())
    assert ours == Ours(0.25, *wilson(57, 228), 228)
    assert own_figure(cell(side_effects=effects()), "replacement", mmlu, suite()) is None
    assert own_figure(cell(), "replacement", mmlu, suite()) is None


def test_seeds_that_differ_have_their_mean_and_range():
    assert over_seeds([Ours(0.5, 0.4, 0.6, 160), Ours(0.7, 0.6, 0.8, 160)]) == Ours(0.6, 0.5, 0.7, 160, 2)
    assert over_seeds([Ours(0.5, 0.4, 0.6, 160)] * 3) == Ours(0.5, 0.4, 0.6, 160)
    assert over_seeds([Ours(0.5), None]) is None


def test_what_is_no_share_has_no_interval():
    rates = {name: rate.model_copy(update={"marks": {"C": 3.5}}) for name, rate in cell().rates.items()}
    assert own_figure(cell(rates=rates), "native", Here(of="mark", name="C"), suite()) == Ours(3.5, n=N)
    assert own_figure(cell({"native": 0.5}, prompt_ids=[]), "native", GONE, suite()) == Ours(0.5, n=0)
