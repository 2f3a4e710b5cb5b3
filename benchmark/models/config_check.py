"""A check that a folder holds a causal language model that transformers can read, without reading its weights."""

import json
from pathlib import Path
from typing import Any

from graftbench.benchmark.core.errors import UserError

_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt")
_WEIGHTS = ("*.safetensors", "*.bin")


def check_config(folder: Path) -> None:
    """Raise UserError where a folder has no configuration of a causal language model, or no weights.

    What transformers says of these cases fills a screen, or names an option that is not ours.
    """
    from transformers import CONFIG_MAPPING
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    settings = _settings(folder)
    kind, named = settings.get("model_type"), settings.get("architectures")
    if not isinstance(kind, str) or kind not in CONFIG_MAPPING:
        if settings.get("auto_map"):
            raise UserError(
                f"The model in {folder} needs Python code of its own repository (`auto_map` in config.json), and "
                "graftbench runs no such code: name a model whose class is part of transformers."
            )
        return  # transformers says what it does not know
    if kind not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES or _is_encoder(kind, settings):
        what = named[0] if isinstance(named, list) and named else f"model of type {kind}"
        raise UserError(f"The model in {folder} is a {what}, and that is no causal language model.")
    if not any(any(folder.glob(pattern)) for pattern in _WEIGHTS):
        raise UserError(f"{folder} holds no weights of a model: it has no file {' or '.join(_WEIGHTS)}.")


def _is_encoder(kind: str, settings: dict[str, Any]) -> bool:
    """Return True for an encoder of a type that has a causal class, too, as BERT: its head would be drawn at random."""
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        MODEL_FOR_MASKED_LM_MAPPING_NAMES,
    )

    named = settings.get("architectures")
    is_causal = isinstance(named, list) and MODEL_FOR_CAUSAL_LM_MAPPING_NAMES[kind] in named
    return kind in MODEL_FOR_MASKED_LM_MAPPING_NAMES and not is_causal and not settings.get("is_decoder")


def _settings(folder: Path) -> dict[str, Any]:
    try:
        settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        has = "a tokenizer and no model" if any((folder / name).is_file() for name in _TOKENIZERS) else "no model"
        raise UserError(f"{folder} holds {has}: it has no config.json.") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{folder / 'config.json'} cannot be read: {error}.") from error
    if not isinstance(settings, dict):
        raise UserError(f"{folder / 'config.json'} is no configuration of a model: it holds no JSON object.")
    return settings
