"""Zoo models as they are used: weights in float32, and their tokenizer."""

from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerFast


@dataclass(frozen=True)
class Zoo:
    """A zoo model with its tokenizer."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast


def load_model(folder: Path) -> PreTrainedModel:
    """The model in a local folder, in float32 whatever it is stored in."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    assert isinstance(model, PreTrainedModel)
    return model


def load(folder: Path) -> Zoo:
    """Model and tokenizer of a local folder."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert isinstance(tokenizer, PreTrainedTokenizerFast)
    return Zoo(load_model(folder), tokenizer)
