import math

import pytest

from graftbench.benchmark.data.examples import Prompt
from graftbench.benchmark.interventions.conditions import Row
from graftbench.benchmark.interventions.likelihoods import reply_likelihoods
from graftbench.benchmark.models.chat import chat
from graftbench.benchmark.models.tokens import token_ids
from graftbench.judges.fluency import Fluency
from graftbench.judges.protocol import Case
from tests.benchmark.conftest import WORDS, untrained, wrapped

CASES = [Case("p", words, WORDS[0]) for words in WORDS]


def test_fluency_is_one_over_perplexity():
    model = wrapped(untrained("llama"))
    reply = chat(Prompt("p"), model.tokenizer).with_reply(f" {WORDS[0]}")
    n = len(token_ids(reply.text, model.tokenizer)) - len(
        token_ids(chat(Prompt("p"), model.tokenizer).text, model.tokenizer)
    )
    total = float(reply_likelihoods(model, [Row(reply)])[0])
    verdicts = Fluency(model)(CASES)
    assert verdicts[0].score == pytest.approx(math.exp(total / n), rel=1e-4)
    assert f"over {n} tokens" in verdicts[0].evidence
    assert [Fluency(model)([case])[0].score for case in CASES] == pytest.approx([v.score for v in verdicts], rel=1e-4)


def test_no_words_are_not_fluent_and_too_many_are_unscored():
    nothing, long = Fluency(wrapped(untrained("llama")))([Case("p", " \n"), Case("p", "So it is. " * 100)])
    assert (nothing.score, long.score) == (0, None)
    assert "longer than the model's context" in long.reason
