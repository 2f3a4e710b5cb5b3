"""A sequence classifier as a judge: the probability of one of its labels, with nothing generated."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BatchEncoding,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.models.load import device_of, folder_of, identity_of
from graftbench.benchmark.models.tokens import by_length
from graftbench.judges.protocol import Case, Graded, Verdict

Reads = Literal["completion", "both"]
_BATCH_TOKENS = 16_384  # padding counted: a bound on memory, not a setting


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
        """How many tokens it reads at the most, its own special ones among them."""
        return context_of(self.module, self.tokenizer)

    @torch.inference_mode()
    def probabilities(self, tokens: BatchEncoding) -> Tensor:
        """The probability of each label [texts, labels], in float64."""
        logits: Tensor = self.module(**tokens.to(self.module.device)).logits.double().cpu()
        several = self.module.config.problem_type == "multi_label_classification"
        return logits.sigmoid() if several or len(self.labels) == 1 else logits.softmax(-1)


@dataclass(frozen=True, eq=False)
class ClassifierJudge(Graded):
    """Scores a completion, alone or with the prompt before it, with the probability of the label that counts."""

    classifier: Classifier
    label: str
    reads: Reads = "completion"

    def __post_init__(self) -> None:
        if self.label not in self.classifier.labels:
            known = ", ".join(self.classifier.labels)
            raise UserError(f"{self.classifier.name} has no label {self.label!r}. Its labels: {known}.")

    @property
    def identity(self) -> str:
        """Kind, version, label, what is read and the hash of the classifier."""
        return f"classifier/1 {self.label} {self.reads} {self.classifier.identity}"

    def __call__(self, cases: Sequence[Case]) -> list[Verdict]:
        """A verdict on each case, with the probability of each label as evidence.

        What is longer than the classifier's context is left unscored.
        """
        lengths = [len(self._tokens([case])["input_ids"][0]) for case in cases]
        fit = [i for i, length in enumerate(lengths) if length <= self.classifier.context]
        found: dict[int, Verdict] = {}
        for batch in by_length([lengths[i] for i in fit], _BATCH_TOKENS):
            places = [fit[i] for i in batch]
            found |= dict(zip(places, self._judged([cases[i] for i in places]), strict=True))
        return [found.get(i) or Verdict(None, reason="longer than the model's context") for i in range(len(cases))]

    def _judged(self, cases: Sequence[Case]) -> list[Verdict]:
        return [self._verdict(row) for row in self.classifier.probabilities(self._tokens(cases, padded=True))]

    def _tokens(self, cases: Sequence[Case], *, padded: bool = False) -> BatchEncoding:
        completions = [case.completion for case in cases]
        texts = [completions] if self.reads == "completion" else [[case.prompt for case in cases], completions]
        tokens: BatchEncoding = self.classifier.tokenizer(
            *texts,
            padding=padded,
            return_tensors="pt" if padded else None,
            split_special_tokens=True,  # what is judged is text, even where it spells a special token
            verbose=False,
        )
        return tokens

    def _verdict(self, shares: Tensor) -> Verdict:
        labels = self.classifier.labels
        said = ", ".join(f"{label} {share:.3f}" for label, share in zip(labels, shares.tolist(), strict=True))
        if not shares.isfinite().all():
            return Verdict(None, said, "the model's logits are not finite")
        return Verdict(float(shares[labels.index(self.label)]), said)


def classifier_judge(name: str, label: str | None = None, reads: Reads = "completion") -> ClassifierJudge:
    """A judge that asks the classifier `name`, a local folder or Hub id, for `label`: the second of two by default."""
    classifier = load_classifier(name)
    if label is None and len(classifier.labels) != 2:
        raise UserError(f"Which label of {name} counts? Its labels: {', '.join(classifier.labels)}.")
    return ClassifierJudge(classifier, classifier.labels[1] if label is None else label, reads)


def load_classifier(name: str) -> Classifier:
    """The classifier in a local folder or of a Hub id; UserError where there is none or it cannot be read."""
    folder = folder_of(name)
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder)
        module, loading = AutoModelForSequenceClassification.from_pretrained(
            folder, dtype=torch.float32, output_loading_info=True
        )
    except (OSError, ValueError, SafetensorError) as error:
        raise UserError(f"The classifier in {folder} cannot be read: {error}. Restore the folder.") from error
    if loading["missing_keys"]:  # transformers would make them up
        lacking = ", ".join(sorted(loading["missing_keys"]))
        raise UserError(f"{name} is no trained sequence classifier: its weights lack {lacking}.")
    if tokenizer.pad_token_id is None:
        raise UserError(f"The tokenizer of {name} has no padding token: its texts cannot be read together.")
    module.config.pad_token_id = tokenizer.pad_token_id  # which classifiers made of decoders look for
    module.to(device_of("auto")).eval()
    labels = tuple(module.config.id2label[i] for i in range(module.config.num_labels))
    return Classifier(name, module, tokenizer, labels, identity_of(folder))


def context_of(module: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> float:
    """How many tokens a model of texts reads at the most, its own special ones among them."""
    positions = getattr(module.config, "max_position_embeddings", None) or float("inf")
    return float(min(tokenizer.model_max_length, positions - _positions_before_the_first(module)))


def _positions_before_the_first(module: PreTrainedModel) -> int:
    """How many of a model's positions no text takes: RoBERTa counts from behind the one that stands for padding."""
    tables = [table for name, table in module.named_modules() if name.endswith("position_embeddings")]
    padding = [table.padding_idx for table in tables if isinstance(table, nn.Embedding)]
    return max((i + 1 for i in padding if i is not None), default=0)
