"""The files of models that are here: in a folder, in this package or another, or in the Hub's cache.

Nothing is downloaded.
"""

import json
from pathlib import Path
from typing import Any

from graftbench.benchmark.models.adapters import adapter_in
from graftbench.benchmark.models.packaged import is_installed, is_packaged, packaged_folder
from graftbench.benchmark.models.shipped import shipped_folder

PATH = ("/", "./", "../", "~")  # what the name of a local folder begins with
_WEIGHTS = (".safetensors", ".bin")


def folder_here(name: str, revision: str | None) -> Path | None:
    """Return the folder of a model that is here as a whole, else None; one that a package brings is converted."""
    if Path(name).is_dir():
        return Path(name)
    if name.startswith(PATH):
        return None
    if is_packaged(name):
        return packaged_folder(name) if is_installed(name) else None
    return in_cache(name, revision) if "/" in name else shipped_folder(name)


def base_here(name: str, revision: str | None) -> Path | None:
    """Return the folder of a model's weights and tokenizer, which an adapter has from its base; None as above."""
    folder = folder_here(name, revision)
    adapter = None if folder is None else adapter_in(folder)
    return folder if adapter is None else folder_here(adapter.base, adapter.revision)


def config_of(name: str, revision: str | None) -> dict[str, Any]:
    """Return the configuration of a model that is here, empty where it is not, or cannot be read."""
    folder = base_here(name, revision)
    try:
        found = json.loads((folder / "config.json").read_text(encoding="utf-8")) if folder else {}
    except (OSError, ValueError):
        return {}  # loading will say what is wrong with it
    return dict(found.get("text_config") or found)


def bytes_in(folder: Path) -> int:
    """Return the size of the weights, those in pickles where there are no others."""
    for suffix in _WEIGHTS:
        files = list(folder.glob(f"*{suffix}"))
        if files:
            return sum(file.stat().st_size for file in files)
    return 0


def _is_whole(folder: Path) -> bool:
    """Return True where all files of weights are there that a list in the folder names, and at least one."""
    for listed in folder.glob("*.index.json"):
        files = set(json.loads(listed.read_text(encoding="utf-8")).get("weight_map", {}).values())
        return all((folder / name).is_file() for name in files)
    return bytes_in(folder) > 0


def in_cache(name: str, revision: str | None) -> Path | None:
    """Return the folder of a model that was downloaded whole, None where there is none."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(name, revision=revision, local_files_only=True))
    except (LocalEntryNotFoundError, OSError):
        return None
    return folder if _is_whole(folder) else None  # a download that was stopped
