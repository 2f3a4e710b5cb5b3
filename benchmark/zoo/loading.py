"""Zoo models as they are used: weights in float32, and their tokenizer."""

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerFast

from ..errors import UserError


@dataclass(frozen=True)
class ZooModel:
    """A zoo model with its tokenizer."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast


def load_model(folder: Path) -> PreTrainedModel:
    """The model in a local folder, in float32 whatever it is stored in."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    assert isinstance(model, PreTrainedModel)
    return model


def load(folder: Path) -> ZooModel:
    """Model and tokenizer of a local folder; UserError where its files cannot be read."""
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder)
        model = load_model(folder)
    except (OSError, ValueError, SafetensorError) as error:
        raise UserError(
            f"The model in {folder} cannot be read: {error}. Train it again, or restore the folder."
        ) from error
    assert isinstance(tokenizer, PreTrainedTokenizerFast)
    return ZooModel(model, tokenizer)
