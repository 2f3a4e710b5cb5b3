"""Loading and length limits of models that read a text and generate nothing."""

from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from torch import nn
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.models.devices import device_of
from graftbench.benchmark.models.folders import folder_of, identity_of

BATCH_TOKENS = 16_384  # padding counted: a bound on memory, not a setting


class Encoder(NamedTuple):
    """A model with its tokenizer and the hash of its files."""

    module: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    identity: str


def load_encoder(name: str, loader: Any, kind: str, unused: str = "") -> Encoder:
    """Load a model from a local folder or the Hub by one of transformers' Auto classes, `loader`, in float32.

    UserError, naming the `kind` of model, where it cannot be read, cannot pad, or weights are missing. Weights whose
    names begin with `unused` may be.
    """
    folder = folder_of(name)
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder)
        module, loading = loader.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    except (OSError, ValueError, SafetensorError) as error:
        raise UserError(f"The {kind} in {folder} cannot be read: {error}. Restore the folder.") from error
    # transformers would initialise them at random.
    missing = sorted(key for key in loading["missing_keys"] if not (unused and key.startswith(unused)))
    if missing:
        raise UserError(f"{name} is no trained {kind}: its weights lack {', '.join(missing)}.")
    if tokenizer.pad_token_id is None:
        raise UserError(f"The tokenizer of {name} has no padding token: its texts cannot be read together.")
    return Encoder(module.to(device_of("auto")).eval(), tokenizer, identity_of(folder))


def context_of(module: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> float:
    """Return the maximum number of tokens, special tokens included; infinite where the configuration names none."""
    positions = getattr(module.config, "max_position_embeddings", None) or float("inf")
    return float(min(tokenizer.model_max_length, positions - _reserved_positions(module)))


def _reserved_positions(module: PreTrainedModel) -> int:
    """Return how many positions no text can use: RoBERTa's begin after the index of its padding token."""
    tables = [table for name, table in module.named_modules() if name.endswith("position_embeddings")]
    padding = [table.padding_idx for table in tables if isinstance(table, nn.Embedding)]
    return max((i + 1 for i in padding if i is not None), default=0)
