"""How large a model is, by its files alone: parameters, blocks, width."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.models.architectures import list_at
from graftbench.benchmark.models.weights import quiet_transformers, reason_of

if TYPE_CHECKING:
    from transformers import PreTrainedConfig


def n_parameters(folder: Path) -> int:
    """Return the number of parameters in a folder's safetensors; 0 without any. UserError where one cannot be read."""
    total = 0
    for file in folder.glob("*.safetensors"):
        try:
            with safe_open(file, framework="numpy") as tensors:
                total += sum(math.prod(tensors.get_slice(key).get_shape()) for key in list(tensors.keys()))
        except SafetensorError as error:
            raise UserError(f"The weights in {file} cannot be read: {reason_of(error)}.") from error
    return total


def n_bytes(folder: Path, dtype: torch.dtype) -> int:
    """Return the bytes of a folder's weights in a dtype; those on disk where a pickle holds them, in whatever dtype."""
    in_pickles = sum(file.stat().st_size for file in folder.glob("*.bin"))
    return n_parameters(folder) * dtype.itemsize or in_pickles


def read_config(folder: Path) -> "PreTrainedConfig":
    """Return the configuration of the model in a folder; UserError where it cannot be read."""
    from transformers import AutoConfig

    try:
        with quiet_transformers():
            config: PreTrainedConfig = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    except Exception as error:  # it may be broken in any way
        raise UserError(f"The model in {folder} cannot be read: {reason_of(error)}.") from error
    return config


def width_of(config: "PreTrainedConfig") -> int:
    """Return the width of the residual stream."""
    width: int = config.get_text_config().hidden_size
    return width


def context_of(config: "PreTrainedConfig") -> float:
    """Return the maximum number of positions; infinite where a configuration names none."""
    return getattr(config.get_text_config(), "max_position_embeddings", None) or math.inf


def n_blocks_of(config: "PreTrainedConfig", named: str | None) -> int:
    """Return the number of blocks, those in the list at a path where one is named; UserError where none is there.

    A list is looked up in a model without weights.
    """
    if named is None:
        n: int = config.get_text_config().num_hidden_layers
        return n
    from transformers import AutoModelForCausalLM

    with quiet_transformers(), torch.device("meta"):
        skeleton: Any = AutoModelForCausalLM.from_config(config)
    return len(list_at(skeleton, named))
