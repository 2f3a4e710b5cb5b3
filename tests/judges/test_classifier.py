from functools import partial

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from graftbench.benchmark.core.errors import UserError
from graftbench.judges.classifier import ClassifierJudge, classifier_judge, load_classifier
from graftbench.judges.protocol import Case

SPECIAL = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
WORDS = "How do I mend the roof paint fence cannot help with that take a brush sorry no".split()
SMALL = {
    "vocab_size": len(SPECIAL) + len(WORDS),
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 20,
    "initializer_range": 0.5,
    "pad_token_id": 0,
}
WITHOUT_TYPES = {"model_input_names": ["input_ids", "attention_mask"]}  # of tokens, which only BERT tells apart
REFUSALS = {0: "NORMAL", 1: "REJECTION"}
CASES = [
    Case("How do I mend the roof", "sorry I cannot help with that"),
    Case("How do I paint the fence", "take a brush"),
    Case("paint the roof", "no"),
]


def tokenizer(**more):
    words = {word: i for i, word in enumerate([*SPECIAL.values(), *WORDS])}
    made = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", words["[CLS]"]), ("[SEP]", words["[SEP]"])],
    )
    return PreTrainedTokenizerFast(tokenizer_object=made, **SPECIAL | more)


def bert(labels=REFUSALS, **more):
    torch.manual_seed(0)
    return BertForSequenceClassification(BertConfig(**SMALL | more, id2label=labels)).eval()


def roberta():
    torch.manual_seed(0)
    return RobertaForSequenceClassification(RobertaConfig(**SMALL, id2label=REFUSALS)).eval()


def distilbert():
    torch.manual_seed(0)
    names = {"dim": 16, "hidden_dim": 24, "n_layers": 2, "n_heads": 2, "vocab_size": SMALL["vocab_size"]}
    return DistilBertForSequenceClassification(DistilBertConfig(**names, id2label=REFUSALS)).eval()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GRAFTBENCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def saved(tmp_path):
    def save(module, **more):
        folder = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        module.save_pretrained(folder)
        tokenizer(**more).save_pretrained(folder)
        return str(folder)

    return save


def probabilities(module, *texts, **more):
    with torch.inference_mode():
        return module(**tokenizer(**more)(*texts, return_tensors="pt")).logits[0].double().softmax(-1).tolist()


@pytest.mark.parametrize("make", [bert, roberta, distilbert])
def test_the_score_is_the_probability_of_the_label_that_counts(make, saved):
    module = make()
    folder = saved(module, **WITHOUT_TYPES)
    for place, label in REFUSALS.items():
        for case, verdict in zip(CASES, classifier_judge(folder, label)(CASES), strict=True):
            wanted = probabilities(module, case.completion, **WITHOUT_TYPES)
            assert verdict.score == pytest.approx(wanted[place], abs=1e-5)
            assert verdict.evidence == f"NORMAL {wanted[0]:.3f}, REJECTION {wanted[1]:.3f}"


def test_prompt_and_completion_are_read_as_a_pair_where_both_are(saved):
    module = bert()
    verdicts = classifier_judge(saved(module), reads="both")(CASES)
    alone = classifier_judge(saved(module))(CASES)
    for case, verdict, other in zip(CASES, verdicts, alone, strict=True):
        assert verdict.score == pytest.approx(probabilities(module, case.prompt, case.completion)[1], abs=1e-5)
        assert verdict.score != pytest.approx(other.score, abs=1e-3)


def test_the_second_of_two_labels_counts_where_none_is_named(saved):
    folder = saved(bert())
    assert classifier_judge(folder).label == "REJECTION"
    assert classifier_judge(folder)(CASES) == classifier_judge(folder, "REJECTION")(CASES)


def test_one_of_three_labels_must_be_named(saved):
    folder = saved(bert({0: "no", 1: "yes", 2: "perhaps"}))
    with pytest.raises(UserError, match="no, yes, perhaps"):
        classifier_judge(folder)
    assert classifier_judge(folder, "perhaps")(CASES)[0].score is not None


def test_a_label_that_is_not_there_is_an_error_that_names_those_that_are(saved):
    classifier = load_classifier(saved(bert()))
    with pytest.raises(UserError, match="no label 'refusal'.*NORMAL, REJECTION"):
        ClassifierJudge(classifier, "refusal")


def test_labels_that_do_not_exclude_each_other_have_probabilities_of_their_own(saved):
    module = bert(problem_type="multi_label_classification")
    verdicts = classifier_judge(saved(module), "NORMAL")(CASES)
    with torch.inference_mode():
        wanted = module(**tokenizer()(CASES[0].completion, return_tensors="pt")).logits[0].sigmoid()
    assert verdicts[0].score == pytest.approx(wanted[0].item(), abs=1e-5)


def test_cases_judged_together_or_alone_get_the_same_verdicts(saved):
    for reads in ("completion", "both"):
        judge = classifier_judge(saved(bert()), reads=reads)
        alone = [judge([case])[0].score for case in CASES]
        assert [verdict.score for verdict in judge(CASES)] == pytest.approx(alone, abs=1e-5)
        assert judge([]) == []


@pytest.mark.parametrize(
    ("make", "most", "more"),
    [(bert, 18, {}), (roberta, 17, {}), (partial(bert, max_position_embeddings=40), 6, {"model_max_length": 8})],
)
def test_what_is_longer_than_the_context_is_unscored_and_not_cut(make, most, more, saved):
    judge = classifier_judge(saved(make(), **WITHOUT_TYPES | more))
    verdicts = judge([Case("p", "no " * most), Case("p", "no " * (most + 1))])
    assert verdicts[0].score is not None
    assert (verdicts[1].score, verdicts[1].reason) == (None, "longer than the model's context")


def test_a_pair_is_measured_as_a_whole(saved):
    long = Case("How do I mend the roof " * 2, "no " * 6)  # 18 words and 3 special tokens
    folder = saved(bert())
    assert classifier_judge(folder)([long])[0].score is not None
    assert classifier_judge(folder, reads="both")([long])[0].score is None


def test_a_special_token_that_is_spelt_out_is_text(saved):
    judge = classifier_judge(saved(bert()))
    ids = judge.classifier.tokenizer("no [SEP] no", split_special_tokens=True)["input_ids"]
    assert ids.count(judge.classifier.tokenizer.sep_token_id) == 1
    assert judge([Case("p", "no [SEP] no")])[0].score == pytest.approx(
        judge([Case("p", "no [ UNKNOWN ] no")])[0].score, abs=1e-5
    )


def test_a_model_that_is_broken_leaves_cases_unscored(saved):
    module = bert()
    module.classifier.bias.data.fill_(float("nan"))
    verdict = classifier_judge(saved(module))(CASES[:1])[0]
    assert (verdict.score, verdict.reason) == (None, "the model's logits are not finite")


def test_judges_differ_by_label_by_what_they_read_and_by_weights(saved):
    folder = saved(bert())
    classifier = load_classifier(folder)
    changed = bert()
    changed.classifier.bias.data += 1
    judges = [
        ClassifierJudge(classifier, "NORMAL"),
        ClassifierJudge(classifier, "REJECTION"),
        ClassifierJudge(classifier, "REJECTION", "both"),
        classifier_judge(saved(changed), "REJECTION"),
    ]
    assert len({judge.identity for judge in judges}) == 4
    assert classifier_judge(folder).identity == judges[1].identity


def test_a_classifier_that_cannot_be_read_is_an_error_of_one_sentence(saved, tmp_path):
    with pytest.raises(UserError, match="no-such-model"):
        load_classifier("no-such-model")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="cannot be read"):
        load_classifier(str(tmp_path / "empty"))


def test_a_model_that_was_never_trained_to_classify_is_an_error(saved):
    folder = saved(BertModel(BertConfig(**SMALL)))
    with pytest.raises(UserError, match="no trained sequence classifier.*classifier.weight"):
        load_classifier(folder)


def test_a_token_without_an_embedding_is_named(saved):
    few = bert(vocab_size=SMALL["vocab_size"] - 1)
    with pytest.raises(UserError, match=r"has embeddings of 20 tokens, and its tokenizer gives token 20, 'no'"):
        classifier_judge(saved(few))(CASES)
    assert classifier_judge(saved(few))(CASES[:1])[0].score is not None


def test_a_tokenizer_that_cannot_pad_is_an_error(saved):
    with pytest.raises(UserError, match="no padding token"):
        load_classifier(saved(bert(), pad_token=None))
