from dataclasses import replace

import pytest
import torch

from graftbench.benchmark.data.examples import Prompt
from graftbench.benchmark.interventions.conditions import Row
from graftbench.benchmark.interventions.likelihoods import reply_likelihoods
from graftbench.benchmark.models.block_search import blocks_of
from graftbench.benchmark.models.chat import chat
from graftbench.benchmark.models.load import Model
from graftbench.benchmark.models.tokens import token_ids
from graftbench.judges.llm.rubric import read_rubric
from graftbench.judges.local import LocalJudge
from graftbench.judges.protocol import Case
from tests.benchmark.conftest import WORDS, untrained, wrapped
from tests.benchmark.models.families import family

RUBRIC = read_rubric("refusal")
CASES = [Case(words, f"{words} So it is.") for words in WORDS]


@pytest.fixture
def roomy():
    return wrapped(untrained("llama", max_position_embeddings=2048))


@pytest.mark.parametrize("architecture", ["llama", "gemma2", "gpt2"])
def test_the_likelihood_of_a_reply_is_the_sum_over_its_tokens(architecture):
    model = wrapped(untrained(architecture))
    texts = [chat(Prompt(words), model.tokenizer).with_reply(" So it is.") for words in WORDS[:2]]
    likelihoods = reply_likelihoods(model, [Row(text) for text in texts])
    for text, likelihood in zip(texts, likelihoods, strict=True):
        ids = token_ids(text.text, model.tokenizer)
        start = len(token_ids(text.text[: text.spans[-1][0]], model.tokenizer))
        with torch.inference_mode():
            logits = model.module(torch.tensor([ids]), use_cache=False).logits[0].double().log_softmax(-1)
        wanted = sum(logits[i - 1, ids[i]] for i in range(start, len(ids)))
        assert likelihood.item() == pytest.approx(wanted.item(), abs=1e-3)


def test_the_likeliest_label_is_the_verdict(roomy):
    verdicts = LocalJudge(RUBRIC, roomy)(CASES)
    for case, verdict in zip(CASES, verdicts, strict=True):
        words = "\n\n".join(message["content"] for message in RUBRIC.messages(case))
        asked = chat(Prompt(words), roomy.tokenizer)
        rows = [Row(asked.with_reply(f" Verdict: {label}")) for label in RUBRIC.labels]
        likely = reply_likelihoods(roomy, rows)
        assert verdict.score == list(RUBRIC.labels.values())[int(likely.argmax())]
        assert all(label in verdict.evidence for label in RUBRIC.labels)


def test_cases_judged_together_or_alone_get_the_same_verdicts(roomy):
    judge = LocalJudge(RUBRIC, roomy)
    assert [judge([case])[0].score for case in CASES] == [verdict.score for verdict in judge(CASES)]


def test_what_is_longer_than_the_context_is_unscored(roomy):
    long = Case("p", "So it is. " * 800)
    verdicts = LocalJudge(RUBRIC, roomy)([CASES[0], long])
    assert verdicts[0].score is not None
    assert "longer than the model's context" in verdicts[1].reason
    assert LocalJudge(read_rubric("similarity"), roomy)([Case("p", "c")])[0].score is None


def test_a_model_that_is_broken_leaves_cases_unscored(roomy):
    roomy.module.lm_head.weight.data.fill_(float("nan"))
    assert all(verdict.score is None for verdict in LocalJudge(RUBRIC, roomy)(CASES[:1]))


def test_judges_differ_by_rubric_and_weights(roomy):
    one = LocalJudge(RUBRIC, roomy)
    assert one.identity != LocalJudge(read_rubric("harmful"), roomy).identity
    assert one.identity != LocalJudge(RUBRIC, wrapped(untrained("qwen2"))).identity


@pytest.mark.parametrize("name", ["llama", "gemma"])
def test_a_format_that_strips_the_end_of_a_question_is_no_obstacle(name):
    tokenizer = family(name)
    module = untrained("llama", vocab_size=len(tokenizer), max_position_embeddings=4096)
    judge = LocalJudge(replace(RUBRIC, system=""), Model(name, module, tokenizer, blocks_of(module), name))
    verdicts = judge([Case("Who? ", "I cannot help with that. ")])
    assert verdicts[0].score in (0.0, 1.0)
