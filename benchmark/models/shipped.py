"""The models that ship with graftbench, listed without importing torch."""

from pathlib import Path

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.plugins import nearest

WEIGHTS = Path(__file__).parents[1] / "zoo" / "weights"


def shipped_models() -> list[str]:
    """List the names of the models that ship."""
    return sorted(config.parent.name for config in WEIGHTS.glob("*/config.json"))


def is_shipped(name: str) -> bool:
    """Return True where a name means a model that ships, and no folder of that name."""
    return name in shipped_models() and not Path(name).is_dir()


def shipped_folder(name: str) -> Path:
    """Return the folder of a shipped model; UserError, with the nearest known name, where there is none."""
    known = shipped_models()
    if name not in known:
        raise UserError(f"There is no zoo model {name!r}.{nearest(name, known)}")
    return WEIGHTS / name
