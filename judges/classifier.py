"""`classifier:LABEL`: the probability of one label of a sequence classifier."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from transformers import AutoModelForSequenceClassification, BatchEncoding, PreTrainedModel, PreTrainedTokenizerBase

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.models.tokens import batches_by_length, check_token_ids
from graftbench.judges.encoders import BATCH_TOKENS, context_of, load_encoder
from graftbench.judges.protocol import NOT_FINITE, TOO_LONG, Case, Graded, Verdict

Reads = Literal["completion", "both"]


@dataclass(frozen=True, eq=False)
class Classifier:
    """A trained sequence classifier with its tokenizer, its labels in the order of its logits, and its files' hash."""

    name: str
    module: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    labels: tuple[str, ...]
    identity: str

    @property
    def context(self) -> float:
        """Maximum number of tokens, special tokens included."""
        return context_of(self.module, self.tokenizer)

    @torch.inference_mode()
    def probabilities(self, tokens: BatchEncoding) -> Tensor:
        """Return the probability of each label [texts, labels], in float64.

        UserError where a token has no embedding.
        """
        check_token_ids(self.name, self.module, self.tokenizer, tokens["input_ids"].tolist())
        logits: Tensor = self.module(**tokens.to(self.module.device)).logits.double().cpu()
        several = self.module.config.problem_type == "multi_label_classification"
        return logits.sigmoid() if several or len(self.labels) == 1 else logits.softmax(-1)


@dataclass(frozen=True, eq=False)
class ClassifierJudge(Graded):
    """Scores a completion, alone or after its prompt, by the probability of one label."""

    classifier: Classifier
    label: str
    reads: Reads = "completion"

    def __post_init__(self) -> None:
        if self.label not in self.classifier.labels:
            known = ", ".join(self.classifier.labels)
            raise UserError(f"{self.classifier.name} has no label {self.label!r}. Its labels: {known}.")

    @property
    def identity(self) -> str:
        """Kind, version, label, the texts that are read, and the hash of the classifier."""
        return f"classifier/1 {self.label} {self.reads} {self.classifier.identity}"

    def __call__(self, cases: Sequence[Case]) -> list[Verdict]:
        """Return a verdict on each case, with the probabilities of all labels as evidence.

        Cases that exceed the classifier's context are unscored.
        """
        lengths = [len(self._tokens([case])["input_ids"][0]) for case in cases]
        fit = [i for i, length in enumerate(lengths) if length <= self.classifier.context]
        verdicts: dict[int, Verdict] = {}
        for batch in batches_by_length([lengths[i] for i in fit], BATCH_TOKENS):
            rows = [fit[i] for i in batch]
            verdicts |= dict(zip(rows, self._classify([cases[i] for i in rows]), strict=True))
        return [verdicts.get(i) or Verdict(None, reason=TOO_LONG) for i in range(len(cases))]

    def _classify(self, cases: Sequence[Case]) -> list[Verdict]:
        return [self._verdict(row) for row in self.classifier.probabilities(self._tokens(cases, padded=True))]

    def _tokens(self, cases: Sequence[Case], *, padded: bool = False) -> BatchEncoding:
        completions = [case.completion for case in cases]
        texts = [completions] if self.reads == "completion" else [[case.prompt for case in cases], completions]
        tokens: BatchEncoding = self.classifier.tokenizer(
            *texts,
            padding=padded,
            return_tensors="pt" if padded else None,
            split_special_tokens=True,  # a special token that a completion spells is text
            verbose=False,
        )
        return tokens

    def _verdict(self, shares: Tensor) -> Verdict:
        """Return the verdict for the probabilities `shares` [labels]."""
        labels = self.classifier.labels
        evidence = ", ".join(f"{label} {share:.3f}" for label, share in zip(labels, shares.tolist(), strict=True))
        if not shares.isfinite().all():
            return Verdict(None, evidence, NOT_FINITE)
        return Verdict(float(shares[labels.index(self.label)]), evidence)


def classifier_judge(name: str, label: str | None = None, reads: Reads = "completion") -> ClassifierJudge:
    """Load the classifier `name`, a local folder or Hub id, as a judge of `label`: by default the second of two."""
    classifier = load_classifier(name)
    if label is None and len(classifier.labels) != 2:
        raise UserError(f"Which label of {name} counts? Its labels: {', '.join(classifier.labels)}.")
    return ClassifierJudge(classifier, classifier.labels[1] if label is None else label, reads)


def load_classifier(name: str) -> Classifier:
    """Load a classifier from a local folder or the Hub; UserError where it cannot be read."""
    module, tokenizer, identity = load_encoder(name, AutoModelForSequenceClassification, "sequence classifier")
    config: Any = module.config  # transformers' type allows for models without labels
    config.pad_token_id = tokenizer.pad_token_id  # classifiers made of decoders need it
    labels = tuple(config.id2label[i] for i in range(config.num_labels))
    return Classifier(name, module, tokenizer, labels, identity)
