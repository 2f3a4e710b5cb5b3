"""The folder of a model, which is named, ships, comes with a package or from the Hub; and the hash of its files."""

import hashlib
from pathlib import Path

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.hashing import sha256_of
from graftbench.benchmark.core.hub import why_not
from graftbench.benchmark.models.packaged import is_packaged, packaged_folder
from graftbench.benchmark.models.shipped import shipped_folder

NOT_READ = [
    "*.gguf",
    "*.pt",
    "*.pth",
    "*.h5",
    "*.msgpack",
    "*.onnx",
    "original/*",
    "consolidated*",
    "checkpoint-*/*",
]  # other forms of the same weights, and those of an earlier step of training
_WEIGHTS = (".safetensors", ".bin", ".index.json")
_SMALL = ("config.json", "generation_config.json", "adapter_config.json", "chat_template.jinja")
_TOKENIZER = (
    *("tokenizer.json", "tokenizer_config.json", "tokenizer.model", "vocab.json", "vocab.txt", "merges.txt"),
    *("special_tokens_map.json", "added_tokens.json"),
)


def folder_of(name: str, revision: str | None = None) -> Path:
    """Return the folder of a model's files, downloading those of a Hub id and converting those of a package."""
    if Path(name).is_dir():
        return Path(name)
    if name.startswith(("/", "./", "../", "~")) or Path(name).exists():
        raise UserError(f"There is no folder {name} with a model.")
    if "/" in name:
        return _downloaded(name, revision)
    if is_packaged(name):
        return packaged_folder(name)
    try:
        return shipped_folder(name)
    except UserError as error:
        raise UserError(f"{error} A local folder or a Hub id (owner/name) does as well.") from error


def _downloaded(name: str, revision: str | None) -> Path:
    """Return the folder of a repository of the Hub; weights in pickles are had only where there are no others."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(name, revision=revision, ignore_patterns=["*.bin", *NOT_READ]))
        if not any(folder.glob("*.safetensors")):
            folder = Path(snapshot_download(name, revision=revision, ignore_patterns=NOT_READ))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise UserError(
            f"{name!r} is no local folder, and could not be had from the Hub: {why_not(error, 'model')}. "
            "Give the path of a folder, or check the name, the revision and the network."
        ) from error
    return folder


def identity_of(folder: Path) -> str:
    """Hash the weights, configuration and tokenizer of a model folder, in 16 hexadecimal digits."""
    files = [f for f in sorted(folder.iterdir()) if f.name.endswith(_WEIGHTS) or f.name in _SMALL + _TOKENIZER]
    total = hashlib.sha256()
    for file in files:
        total.update(f"{file.name} {sha256_of(file)}\n".encode())
    return total.hexdigest()[:16]
