"""Models from the pocket zoo, a local folder or the Hub, with their tokenizer, blocks and identity."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.hashing import digest, sha256_of
from graftbench.benchmark.models.adapters import Adapter, adapter_in, merged
from graftbench.benchmark.models.architectures import Blocks
from graftbench.benchmark.models.block_search import blocks_of
from graftbench.benchmark.models.cache_check import check_cache
from graftbench.benchmark.models.chat_formats import OWN, template_of
from graftbench.benchmark.models.config_check import check_config
from graftbench.benchmark.models.packaged import is_packaged, packaged_folder
from graftbench.benchmark.models.shipped import shipped_folder
from graftbench.benchmark.models.weights import quiet_transformers, read_weights, reason_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel


Dtype = Literal["float32", "bfloat16", "float16"]
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
DTYPES: dict[Dtype, torch.dtype] = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True, eq=False)
class Model:
    """A model with its tokenizer, its blocks, and the hash that identifies it in every cache key."""

    name: str
    module: "PreTrainedModel"
    tokenizer: PreTrainedTokenizerFast
    blocks: Blocks
    identity: str

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        return self.module.device

    @property
    def d(self) -> int:
        """Width of the residual stream."""
        width: int = self.module.config.get_text_config().hidden_size
        return width

    @property
    def context(self) -> float:
        """Maximum number of positions, from the configuration; infinite where it names none."""
        return getattr(self.module.config.get_text_config(), "max_position_embeddings", None) or math.inf


def load(
    name: str,
    *,
    revision: str | None = None,
    dtype: Dtype = "float32",
    device: str = "auto",
    blocks: str | None = None,
    writers: Sequence[str] | None = None,
    chat: str = OWN,
) -> Model:
    """Load the zoo model, local folder or Hub id `name`; UserError where there is none or it cannot be used.

    A folder with an adapter of PEFT is its base model with the adapter merged into it. `blocks` and `writers` are found
    where they are not named. `chat` is a chat format as `read_format` returns it.
    """
    if writers is not None and not writers:
        raise UserError("`writers` names no part of a block: leave it out, and they are found.")
    folder = folder_of(name, revision)
    adapter = adapter_in(folder)
    base = folder if adapter is None else _base_of(adapter)
    check_config(base)
    has_tokenizer = adapter is None or (folder / "tokenizer_config.json").is_file()
    tokenizer = read_tokenizer(name, folder if has_tokenizer else base, chat)
    if adapter is None:
        module = read_weights(base, DTYPES[dtype])
    else:
        module = merged(read_weights(base, torch.float32), adapter)  # small changes would vanish in low precision
        module.to(DTYPES[dtype])  # type: ignore[arg-type]
    module.to(device_of(device)).eval()  # type: ignore[arg-type]
    check_cache(module)
    template = template_of(chat)
    weights = identity_of(folder) if adapter is None else digest(identity_of(base), identity_of(folder))[:16]
    named_blocks = "" if blocks is None and writers is None else f"-{blocks}:{','.join(writers or ())}"
    named_format = "" if template is None else f"-chat:{digest(template)[:16]}"
    identity = f"{weights}-{dtype}{named_blocks}{named_format}"
    return Model(name, module, tokenizer, blocks_of(module, blocks, writers), identity)


def _base_of(adapter: Adapter) -> Path:
    """Return the folder of the model that an adapter was trained on; UserError where it cannot be had."""
    try:
        base = folder_of(adapter.base, adapter.revision)
    except UserError as error:
        raise UserError(f"The base model of the adapter in {adapter.folder}: {error}") from error
    if adapter_in(base) is not None:
        raise UserError(
            f"The base of the adapter in {adapter.folder} is itself one, {adapter.base}: merge that into its own "
            "base first, and name the result."
        )
    return base


def read_tokenizer(name: str, folder: Path, chat: str = OWN) -> PreTrainedTokenizerFast:
    """Return the tokenizer in a folder of the model `name`, with its chat format; UserError where it is of no use."""
    try:
        with quiet_transformers():
            tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except Exception as error:  # a configuration or a file may be broken in any way
        raise UserError(f"The tokenizer or config.json in {folder} cannot be read: {reason_of(error)}.") from error
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise UserError(f"{name} has a slow tokenizer; graftbench needs to know where each token ends in the text.")
    tokenizer.name_or_path = name  # as messages name the model
    template = template_of(chat)
    if template is not None:
        tokenizer.chat_template = template
    return tokenizer


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
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{name!r} is no local folder, and could not be had from the Hub: {reason} "
            "Give the path of a folder, or check the name, the revision and the network."
        ) from error
    return folder


def device_of(device: str) -> torch.device:
    """Return the device called `device`; `auto` is the GPU where there is one."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"There is no device {device!r} here: {reason}. Use cpu, cuda or auto.") from error


_WEIGHTS = (".safetensors", ".bin", ".index.json")
_SMALL = ("config.json", "generation_config.json", "adapter_config.json", "chat_template.jinja")
_TOKENIZER = (
    *("tokenizer.json", "tokenizer_config.json", "tokenizer.model", "vocab.json", "vocab.txt", "merges.txt"),
    *("special_tokens_map.json", "added_tokens.json"),
)


def identity_of(folder: Path) -> str:
    """Hash the weights, configuration and tokenizer of a model folder, in 16 hexadecimal digits."""
    files = [f for f in sorted(folder.iterdir()) if f.name.endswith(_WEIGHTS) or f.name in _SMALL + _TOKENIZER]
    total = hashlib.sha256()
    for file in files:
        total.update(f"{file.name} {sha256_of(file)}\n".encode())
    return total.hexdigest()[:16]


def check_site(model: Model, site: int) -> None:
    """Raise a UserError, with the known sites, where a model has no such site."""
    if type(site) is not int or not 0 <= site < len(model.blocks):
        raise UserError(f"{model.name} has no site {site!r}; its sites are 0 to {len(model.blocks) - 1}.")
