"""The models that ship with graftbench, the pocket zoo and adapters, listed without importing torch."""

import json
from pathlib import Path

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.plugins import nearest
from graftbench.benchmark.models.packaged import packaged_models

WEIGHTS = Path(__file__).parents[1] / "zoo" / "weights"
ADAPTERS = Path(__file__).parents[1] / "organisms" / "weights"
_SETTINGS = "adapter_config.json"


def shipped_models() -> list[str]:
    """List the names of the models that ship."""
    files = [*WEIGHTS.glob("*/config.json"), *ADAPTERS.glob(f"*/{_SETTINGS}")]
    return sorted(config.parent.name for config in files)


def is_shipped(name: str) -> bool:
    """Return True where a name means a model that ships, and no folder of that name."""
    return name in shipped_models() and not Path(name).is_dir()


def shipped_folder(name: str) -> Path:
    """Return the folder of a shipped model; UserError, with the nearest known name, where there is none."""
    known = shipped_models()
    if name not in known:
        raise UserError(f"There is no zoo model {name!r}.{nearest(name, [*known, *packaged_models()])}")
    return next(folder for folder in (WEIGHTS / name, ADAPTERS / name) if folder.is_dir())


def shipped_base(name: str) -> str | None:
    """Return the base model of a shipped adapter, None for a model of its own; UserError as `shipped_folder`."""
    settings = shipped_folder(name) / _SETTINGS
    if not settings.is_file():
        return None
    return str(json.loads(settings.read_text(encoding="utf-8"))["base_model_name_or_path"])
