"""Adapters of PEFT, as fine-tunes are often published: a folder that names its base model, merged into its weights."""

import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.models.weights import listed

if TYPE_CHECKING:
    from transformers import PreTrainedModel

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
            adapted: Any = PeftModel.from_pretrained(base, folder, config=PeftConfig.from_pretrained(folder))
            given, used = load_peft_weights(folder, device="cpu").keys(), get_peft_model_state_dict(adapted).keys()
            if given ^ used:
                raise UserError(
                    f"The adapter in {folder} does not fit its base {adapter.base}: {listed(given ^ used)}. Name the "
                    "base that it was trained on."
                )
            module: PreTrainedModel = adapted.merge_and_unload(safe_merge=True)
    except (ValueError, RuntimeError, KeyError, TypeError, AttributeError, NotImplementedError) as error:
        reason = " ".join(str(error).split())[:200].rstrip(".")
        raise UserError(f"The adapter in {folder} cannot be merged into {adapter.base}: {reason}.") from error
    return module
