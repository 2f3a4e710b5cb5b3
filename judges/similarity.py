"""`chrf` and `repetition`: similarity to the reference and novelty of wording, without a model."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import ClassVar

import torch
from torch import Tensor
from transformers import AutoModel, BatchEncoding, PreTrainedModel, PreTrainedTokenizerBase

from graftbench.benchmark.metrics.similarity import chrf, novelty, trigrams
from graftbench.benchmark.models.tokens import batches_by_length, check_token_ids
from graftbench.judges.encoders import BATCH_TOKENS, context_of, load_encoder
from graftbench.judges.protocol import NO_REFERENCE, TOO_LONG, Case, Graded, Verdict


@dataclass(frozen=True)
class Chrf(Graded):
    """Scores a completion by its chrF (Popović, 2015) to the reference, from 0 to 1."""

    @property
    def identity(self) -> str:
        """Kind and version, of the judge and of sacrebleu."""
        return f"chrf/1 sacrebleu {version('sacrebleu')}"

    def __call__(self, cases: Sequence[Case]) -> list[Verdict]:
        """Return a verdict on each case."""
        verdicts = {case: _similarity(case) for case in dict.fromkeys(cases)}
        return [verdicts[case] for case in cases]


@dataclass(frozen=True)
class Repetition(Graded):
    """Scores a completion by its share of new trigrams of words: 1 for a text that never repeats itself."""

    identity: str = "repetition/1"

    def __call__(self, cases: Sequence[Case]) -> list[Verdict]:
        """Return a verdict on each case: 1 for fewer than three words, 0 for none."""
        verdicts = {text: _novelty(text) for text in dict.fromkeys(case.completion for case in cases)}
        return [verdicts[case.completion] for case in cases]


def _similarity(case: Case) -> Verdict:
    if case.reference is None:
        return Verdict(None, reason=NO_REFERENCE)
    return Verdict(chrf(case.completion, case.reference), f"expected {case.reference!r}")


def _novelty(text: str) -> Verdict:
    counts = Counter(trigrams(text))
    if not counts:
        return Verdict(novelty(text), "too short to repeat itself" if text.strip() else "nothing was said")
    (most, times), *_ = counts.most_common(1)
    return Verdict(novelty(text), f"{' '.join(most)!r} {times} times")


_SCALE = (-1.0, 1.0)


@dataclass(frozen=True, eq=False)
class Cosine:
    """Scores the cosine of two embeddings, each the mean of the model's last hidden states over a text's tokens.

    Sentence encoders trained with mean pooling are used in this way (Reimers and Gurevych, 2019).
    """

    scale: ClassVar[tuple[float, float]] = _SCALE
    binary: ClassVar[bool] = False
    needs_perplexity: ClassVar[bool] = False
    module: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    files_hash: str

    @property
    def identity(self) -> str:
        """Kind, version and the hash of the model."""
        return f"cosine/1 {self.files_hash[:16]}"

    def __call__(self, cases: Sequence[Case]) -> list[Verdict]:
        """Return a verdict on each case; without a reference, without words or beyond the context it is unscored."""
        texts = list(dict.fromkeys(t for case in cases for t in (case.completion, case.reference) if t and t.strip()))
        context = context_of(self.module, self.tokenizer)
        lengths = {text: len(self._tokens([text])["input_ids"][0]) for text in texts}
        embeddings = self._embed({text: length for text, length in lengths.items() if length <= context})
        return [_verdict(case, lengths, embeddings) for case in cases]

    def _tokens(self, texts: Sequence[str]) -> BatchEncoding:
        tokens: BatchEncoding = self.tokenizer(
            list(texts),
            padding=True,
            return_tensors="pt",
            split_special_tokens=True,  # a special token that a completion spells is text
            verbose=False,
        )
        return tokens

    @torch.inference_mode()
    def _embed(self, lengths: dict[str, int]) -> dict[str, Tensor]:
        """Return the embedding [d] of each text, given the texts with their lengths in tokens.

        UserError where a token has no embedding.
        """
        texts = list(lengths)
        embeddings: dict[str, Tensor] = {}
        for batch in batches_by_length(list(lengths.values()), BATCH_TOKENS):
            tokens = self._tokens([texts[i] for i in batch]).to(self.module.device)
            check_token_ids(self.tokenizer.name_or_path, self.module, self.tokenizer, tokens["input_ids"].tolist())
            states = self.module(input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"])
            mask = tokens["attention_mask"][..., None].double()
            means = (states.last_hidden_state.double() * mask).sum(1) / mask.sum(1)
            embeddings |= dict(zip((texts[i] for i in batch), means.cpu(), strict=True))
        return embeddings


def load_cosine(name: str) -> Cosine:
    """Load the judge's model from a local folder or the Hub; UserError where it cannot be read."""
    return Cosine(*load_encoder(name, AutoModel, "model", unused="pooler."))


def _verdict(case: Case, lengths: dict[str, int], embeddings: dict[str, Tensor]) -> Verdict:
    if case.reference is None or case.reference not in lengths:
        return Verdict(None, reason=NO_REFERENCE, scale=_SCALE)
    if case.completion not in lengths:
        return Verdict(None, reason="nothing was said", scale=_SCALE)
    if case.completion not in embeddings or case.reference not in embeddings:
        return Verdict(None, reason=TOO_LONG, scale=_SCALE)
    cosine = torch.cosine_similarity(embeddings[case.completion], embeddings[case.reference], dim=0)
    if not cosine.isfinite():
        return Verdict(None, reason="the model's states are not finite", scale=_SCALE)
    return Verdict(min(1.0, max(-1.0, float(cosine))), f"expected {case.reference!r}", scale=_SCALE)
