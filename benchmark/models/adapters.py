"""Adapters of PEFT, as fine-tunes are often published: a folder that names its base model, merged into its weights."""

import json
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.models.weights import listed, reason_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_EMBEDDINGS = ("embed_tokens.weight", "lm_head.weight", "wte.weight", "embed_in.weight", "embed_out.weight")
SETTINGS, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


@dataclass(frozen=True)
class Adapter:
    """An adapter's folder, and the base model that its settings name."""

    folder: Path
    base: str
    revision: str | None


def adapter_in(folder: Path) -> Adapter | None:
    """Return the adapter that a folder holds, None where it holds none; UserError where it cannot be used."""
    if not (folder / SETTINGS).is_file():
        return None
    try:
        settings = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
        base, revision = settings["base_model_name_or_path"], settings.get("revision")
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise UserError(f"{folder / SETTINGS} is no configuration of an adapter that names its base model.") from error
    if not isinstance(base, str) or not base:
        raise UserError(f"{folder / SETTINGS} names no base model: write it there as `base_model_name_or_path`.")
    if any(folder.glob("model*.safetensors")) or any(folder.glob("pytorch_model*.bin")):
        raise UserError(f"{folder} holds both a model and an adapter: leave one of them in it.")
    if not (folder / WEIGHTS).is_file():
        raise UserError(f"The adapter in {folder} has no {WEIGHTS}; other formats of adapters are not read.")
    return Adapter(folder, base, revision)


def merged(base: "PreTrainedModel", adapter: Adapter) -> "PreTrainedModel":
    """Return a base model with an adapter merged into its weights; UserError where they do not fit each other."""
    from peft import PeftConfig, PeftModel, get_peft_model_state_dict
    from peft.utils import load_peft_weights

    folder = str(adapter.folder)
    try:
        with warnings.catch_warnings(record=True):  # of keys that do not fit: they are compared below
            warnings.simplefilter("always")
            given = _of_adapter(load_peft_weights(folder, device="cpu"))
            _untie(base, given)
            adapted: Any = PeftModel.from_pretrained(base, folder, config=PeftConfig.from_pretrained(folder))
            used = _of_adapter(get_peft_model_state_dict(adapted, save_embedding_layers=False))
            if given ^ used:
                raise UserError(
                    f"The adapter in {folder} does not fit its base {adapter.base}: {listed(given ^ used)}. Name the "
                    "base that it was trained on."
                )
            if not hasattr(adapted, "merge_and_unload"):
                raise UserError(f"The adapter in {folder} is of a kind that cannot be merged into {adapter.base}.")
            module: PreTrainedModel = adapted.merge_and_unload(safe_merge=True)
    except UserError:
        raise
    except Exception as error:  # files and settings may be broken in any way
        raise UserError(f"The adapter in {folder} cannot be merged into {adapter.base}: {reason_of(error)}.") from error
    return module


def _of_adapter(weights: Iterable[str]) -> set[str]:
    """Return the names of an adapter's own weights: some files hold those of the embeddings, too."""
    return {name for name in weights if ".base_layer." not in name and not name.endswith(_EMBEDDINGS)}


def _untie(base: "PreTrainedModel", keys: Iterable[str]) -> None:
    """Give a head weights of its own where an adapter changes it or the embeddings that it is tied to."""
    head, embeddings = base.get_output_embeddings(), base.get_input_embeddings()
    if head is None or head.weight is not embeddings.weight:
        return
    parts: nn.Module = base
    names = [name.rpartition(".")[2] for name, part in parts.named_modules() if part in (head, embeddings)]
    if any(f".{name}." in key for name in names for key in keys):
        weight: Any = head.weight
        head.weight = nn.Parameter(weight.detach().clone())
        for config in (base.config, base.config.get_text_config()):
            config.tie_word_embeddings = False
