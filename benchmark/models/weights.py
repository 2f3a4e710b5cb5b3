"""Weights of a model folder, read so that none is missing, of another shape, or left out."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from torch import nn
from transformers.utils import logging

from graftbench.benchmark.core.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_NAMED = 3  # weights in a message


def read_weights(folder: Path, dtype: torch.dtype) -> "PreTrainedModel":
    """Return the causal language model in a folder; UserError where it is not there as a whole.

    transformers draws weights at random that are not in the files, and leaves out those it has no place for. Either way
    the model is another one than its files hold.
    """
    from transformers import AutoModelForCausalLM, PreTrainedModel

    try:
        with quiet_transformers():
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                folder, dtype=dtype, output_loading_info=True, ignore_mismatched_sizes=True
            )
    except ImportError as error:
        raise UserError(_needs(folder, error)) from error
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise UserError(
            f"The model in {folder} cannot be read: {str(error).rstrip('.')}. Restore it, or name another model."
        ) from error
    module, report = loaded
    assert isinstance(module, PreTrainedModel)
    _check(folder, module, report)
    return module


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


def _check(folder: Path, module: nn.Module, report: dict[str, Any]) -> None:
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


def _matters(key: str, module: nn.Module) -> bool:
    """Return True where a weight lies in a layer, or in a list of layers, that the model has.

    Other parts, such as a vision tower or a head for another use, change nothing in the language model.
    """
    parts = key.split(".")
    for n in range(len(parts) - 1, 0, -1):
        try:
            parent = module.get_submodule(".".join(parts[:n]))
        except AttributeError:
            continue
        return "layers" in parts[:n] or isinstance(parent, nn.ModuleList) or not list(parent.children())
    return False


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
