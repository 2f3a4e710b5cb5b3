"""`cosine`: how like its reference a completion is to a model that embeds texts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from safetensors import SafetensorError
from torch import Tensor
from transformers import AutoModel, AutoTokenizer, BatchEncoding, PreTrainedModel, PreTrainedTokenizerBase

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.models.load import device_of, folder_of, identity_of
from graftbench.benchmark.models.tokens import by_length
from graftbench.judges.classifier import context_of
from graftbench.judges.protocol import Case, Verdict

_SCALE = (-1.0, 1.0)
_BATCH_TOKENS = 16_384  # padding counted: a bound on memory, not a setting


@dataclass(frozen=True, eq=False)
class Cosine:
    """The cosine of two embeddings, each the mean of the model's last hidden states over a text's tokens.

    So sentence encoders are used that were trained with mean pooling (Reimers and Gurevych, 2019); any model will do.
    """

    scale: ClassVar[tuple[float, float]] = _SCALE
    binary: ClassVar[bool] = False
    module: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    files: str  # their hash

    @property
    def identity(self) -> str:
        """Kind, version and the hash of the model."""
        return f"cosine/1 {self.files[:16]}"

    def __call__(self, cases: Sequence[Case]) -> list[Verdict]:
        """A verdict on each case; what has no reference, says nothing or is too long is left unscored."""
        texts = list(dict.fromkeys(t for case in cases for t in (case.completion, case.reference) if t and t.strip()))
        lengths = {text: len(self._tokens([text])["input_ids"][0]) for text in texts}
        fit = [text for text in texts if lengths[text] <= self._context]
        embedded = self._embedded(fit, [lengths[text] for text in fit])
        return [_verdict(case, lengths, embedded) for case in cases]

    @property
    def _context(self) -> float:
        return context_of(self.module, self.tokenizer)

    def _tokens(self, texts: Sequence[str]) -> BatchEncoding:
        tokens: BatchEncoding = self.tokenizer(
            list(texts),
            padding=True,
            return_tensors="pt",
            split_special_tokens=True,  # what is judged is text, even where it spells a special token
            verbose=False,
        )
        return tokens

    @torch.inference_mode()
    def _embedded(self, texts: Sequence[str], lengths: Sequence[int]) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        for batch in by_length(list(lengths), _BATCH_TOKENS):
            together = [texts[i] for i in batch]
            tokens = self._tokens(together).to(self.module.device)
            states = self.module(input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"])
            mask = tokens["attention_mask"][..., None].double()
            means = (states.last_hidden_state.double() * mask).sum(1) / mask.sum(1)
            found |= dict(zip(together, means.cpu(), strict=True))
        return found


def load_cosine(name: str) -> Cosine:
    """The judge with the model in a local folder or of a Hub id; UserError where it cannot be read."""
    folder = folder_of(name)
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder)
        module, loading = AutoModel.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    except (OSError, ValueError, SafetensorError) as error:
        raise UserError(f"The model in {folder} cannot be read: {error}. Restore the folder.") from error
    lacking = sorted(key for key in loading["missing_keys"] if not key.startswith("pooler."))  # which is not asked
    if lacking:  # transformers would make them up
        raise UserError(f"{name} is no trained model: its weights lack {', '.join(lacking)}.")
    if tokenizer.pad_token_id is None:
        raise UserError(f"The tokenizer of {name} has no padding token: its texts cannot be read together.")
    return Cosine(module.to(device_of("auto")).eval(), tokenizer, identity_of(folder))


def _verdict(case: Case, known: dict[str, int], embedded: dict[str, Tensor]) -> Verdict:
    if case.reference is None or case.reference not in known:
        return Verdict(None, reason="there is no reference to compare with", scale=_SCALE)
    if case.completion not in known:
        return Verdict(None, reason="nothing was said", scale=_SCALE)
    if case.completion not in embedded or case.reference not in embedded:
        return Verdict(None, reason="longer than the model's context", scale=_SCALE)
    cosine = torch.cosine_similarity(embedded[case.completion], embedded[case.reference], dim=0)
    if not cosine.isfinite():
        return Verdict(None, reason="the model's states are not finite", scale=_SCALE)
    return Verdict(min(1.0, max(-1.0, float(cosine))), f"expected {case.reference!r}", scale=_SCALE)
