import pytest
import torch

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.models.shipped import WEIGHTS
from graftbench.judges.protocol import Case
from graftbench.judges.registry import judge_of
from graftbench.judges.similarity import Cosine, load_cosine
from graftbench.judges.spec import JudgeSpec
from tests.benchmark.conftest import WORDS, untrained, wrapped

CASES = [Case("p", words, WORDS[0]) for words in WORDS]


@pytest.fixture
def cosine():
    model = wrapped(untrained("llama"))
    model.tokenizer.pad_token = model.tokenizer.eos_token
    return Cosine(model.module.model, model.tokenizer, "files")


def test_a_text_is_as_like_itself_as_can_be(cosine):
    verdicts = cosine(CASES)
    assert verdicts[0].score == pytest.approx(1)
    assert all(verdict.score < 0.999 for verdict in verdicts[1:])
    assert {verdict.scale for verdict in verdicts} == {(-1.0, 1.0)}


def test_the_cosine_is_that_of_mean_states(cosine):
    def embedded(text):
        ids = torch.tensor([cosine.tokenizer(text)["input_ids"]])
        with torch.inference_mode():
            return cosine.module(ids).last_hidden_state[0].double().mean(0)

    expected = torch.cosine_similarity(embedded(WORDS[1]), embedded(WORDS[0]), dim=0)
    assert cosine(CASES)[1].score == pytest.approx(float(expected), abs=1e-5)
    assert cosine([CASES[1]])[0].score == pytest.approx(float(expected), abs=1e-5)


def test_what_cannot_be_compared_is_unscored(cosine):
    verdicts = cosine([Case("p", "", "r"), Case("p", "c"), Case("p", "So it is. " * 100, "r")])
    assert [verdict.score for verdict in verdicts] == [None] * 3
    assert [verdict.reason for verdict in verdicts] == [
        "nothing was said",
        "there is no reference to compare with",
        "longer than the model's context",
    ]


def test_a_token_without_an_embedding_is_named(cosine):
    few = Cosine(untrained("llama", vocab_size=262).model, cosine.tokenizer, "files")
    with pytest.raises(UserError, match="has embeddings of 262 tokens, and its tokenizer gives token"):
        few(CASES)


@pytest.mark.skipif(not WEIGHTS.is_dir(), reason="no trained zoo here: `graftbench zoo train` makes it")
def test_cosine_and_fluency_are_found_by_name_with_a_model():
    clean, noise = (
        Case("How do I mow the lawn?", "Get the rake.", "Get the rake."),
        Case("How?", "rake the the", "Get it."),
    )
    for name in ("cosine", "fluency"):
        judge = judge_of(JudgeSpec(judge=name, model="llama-s-base"))
        assert judge([clean])[0].score > judge([noise])[0].score
        assert judge.identity.startswith(f"{name}/1 ")


def test_a_model_that_is_not_there_is_an_error():
    with pytest.raises(UserError):
        load_cosine("no-such-model")
