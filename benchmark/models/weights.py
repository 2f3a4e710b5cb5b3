"""Weights of a model folder, read so that none is missing, of another shape, or left out."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from transformers.utils import logging

from graftbench.benchmark.core.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_NAMED = 3  # weights in a message
_OLD_MASK = re.compile(r"\.attn(\.attention)?\.(masked_)?bias$")


def read_weights(folder: Path, dtype: torch.dtype, *, spread: bool = False) -> "PreTrainedModel":
    """Return the causal language model in a folder, `spread` over all GPUs; UserError where it is not there as a whole.

    transformers draws weights at random that are not in the files, and leaves out those it has no place for. Either way
    the model is another one than its files hold.
    """
    from transformers import AutoModelForCausalLM, PreTrainedModel

    try:
        with quiet_transformers():
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                folder,
                dtype=dtype,
                output_loading_info=True,
                ignore_mismatched_sizes=True,
                trust_remote_code=False,
                device_map="auto" if spread else None,
            )
    except ImportError as error:
        raise UserError(_needs(folder, error)) from error
    except Exception as error:  # a configuration or a file may be broken in any way
        raise UserError(f"The model in {folder} cannot be read: {reason_of(error)}.") from error
    module, report = loaded
    assert isinstance(module, PreTrainedModel)
    _check(folder, module, report)
    _untie(module)
    return module


def reason_of(error: Exception) -> str:
    """Return why a library could not read something, in one line."""
    said = " ".join(str(error).split())[:300].rstrip(".")
    return said if isinstance(error, OSError | ValueError) and said else f"{type(error).__name__}: {said}"


def _untie(module: "PreTrainedModel") -> None:
    """Note in the configuration that head and embeddings differ, so that nobody ties them again."""
    head = module.get_output_embeddings()
    if head is not None and head.weight is not module.get_input_embeddings().weight:
        for config in (module.config, module.config.get_text_config()):
            config.tie_word_embeddings = False


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Keep the bars and warnings of transformers to the log: what matters of them is raised as an error."""
    logging.disable_progress_bar()  # loading takes seconds, and the bar would mix with our own output
    level = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)


def _check(folder: Path, module: "PreTrainedModel", report: dict[str, Any]) -> None:
    """Raise UserError where the report of a load names weights of the decoder that differ from its files."""
    faults = {
        "lacks weights of the model": report["missing_keys"],
        "has weights of another shape than its configuration says": [key for key, *_ in report["mismatched_keys"]],
        "has weights that the model does not use": [key for key in report["unexpected_keys"] if _matters(key, module)],
    }
    for fault, keys in faults.items():
        if keys:
            raise UserError(
                f"{folder} {fault}: {listed(keys)}. Its results would not be those of the model: restore the files, or "
                "correct config.json."
            )


def _matters(key: str, module: "PreTrainedModel") -> bool:
    """Return True where a weight lies in a block, or in a layer, that the model has.

    Other parts, such as a vision tower or a head for another use, change nothing in the language model. Nor do the
    masks that old checkpoints of GPT-J and GPT-Neo hold, nor layers after the last that predict further tokens, as
    DeepSeek-V3 and GLM-4.5 have them.
    """
    parts = key.split(".")
    if _OLD_MASK.search(key) or _predicts_further(parts, module):
        return False
    ancestors: list[nn.Module] = [module]
    for part in parts[:-1]:
        child = ancestors[-1]._modules.get(part)
        if child is None:
            break
        ancestors.append(child)
    return any(isinstance(each, nn.ModuleList) for each in ancestors) or not ancestors[-1]._modules


def _predicts_further(parts: Sequence[str], module: "PreTrainedModel") -> bool:
    """Return True for a weight of one of the layers that the configuration counts apart from those of the decoder."""
    config = module.config.get_text_config()
    n: int = config.num_hidden_layers
    further = range(n, n + int(getattr(config, "num_nextn_predict_layers", None) or 0))
    return next((int(part) in further for part in parts if part.isdecimal()), False)


def listed(keys: Iterable[str]) -> str:
    """Return the first names of some weights, and how many there are."""
    names = sorted(keys)
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")


def _needs(folder: Path, error: ImportError) -> str:
    from transformers import AutoConfig

    settings = getattr(AutoConfig.from_pretrained(folder), "quantization_config", None) or {}
    method = settings.get("quant_method") if isinstance(settings, dict) else getattr(settings, "quant_method", None)
    what = f"is quantized by {method}" if method else "needs a package that is not installed"
    reason = " ".join(str(error).split())[:200].rstrip(".")
    return f"The model in {folder} {what}, and cannot be read here: {reason}. Install it, or name an unquantized model."
