"""A check that a folder holds a causal language model that transformers can read, by its configuration alone."""

import json
from pathlib import Path
from typing import Any

from graftbench.benchmark.core.errors import UserError

_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt")


def check_config(folder: Path) -> None:
    """Raise UserError where a folder has no configuration of a causal language model.

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
    if kind not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        what = named[0] if isinstance(named, list) and named else f"model of type {kind}"
        raise UserError(f"The model in {folder} is a {what}, and that is no causal language model.")


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
