"""Models from the pocket zoo, a local folder or the Hub, with their tokenizer, blocks and identity."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch
from safetensors import SafetensorError
from transformers import AutoTokenizer, PreTrainedTokenizerFast
from transformers.utils.logging import disable_progress_bar

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.hashing import digest, sha256_of
from graftbench.benchmark.models.architectures import Blocks, blocks_of
from graftbench.benchmark.models.chat_formats import OWN, template_of
from graftbench.benchmark.models.shipped import shipped_folder

if TYPE_CHECKING:
    from transformers import PreTrainedModel


Dtype = Literal["float32", "bfloat16", "float16"]
_DTYPES: dict[Dtype, torch.dtype] = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


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
    writers: Sequence[str] = ("self_attn", "mlp"),
    chat: str = OWN,
) -> Model:
    """Load the zoo model, local folder or Hub id `name`; UserError where there is none or it cannot be read.

    `chat` is a chat format as `read_format` returns it.
    """
    from transformers import AutoModelForCausalLM, PreTrainedModel

    folder = folder_of(name, revision)
    disable_progress_bar()  # loading takes seconds, and the bar would mix with our own output
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder)
        module = AutoModelForCausalLM.from_pretrained(folder, dtype=_DTYPES[dtype])
    except (OSError, ValueError, SafetensorError) as error:
        raise UserError(
            f"The model in {folder} cannot be read: {error}. Restore the folder, or train it again."
        ) from error
    assert isinstance(module, PreTrainedModel)
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise UserError(f"{name} has a slow tokenizer; graftbench needs to know where each token ends in the text.")
    tokenizer.name_or_path = name  # as messages name the model
    template = template_of(chat)
    if template is not None:
        tokenizer.chat_template = template
    module.to(device_of(device)).eval()  # type: ignore[arg-type]
    named_blocks = "" if blocks is None else f"-{blocks}:{','.join(writers)}"
    named_format = "" if template is None else f"-chat:{digest(template)[:16]}"
    identity = f"{identity_of(folder)}-{dtype}{named_blocks}{named_format}"
    return Model(name, module, tokenizer, blocks_of(module, blocks, writers), identity)


def folder_of(name: str, revision: str | None = None) -> Path:
    """Return the folder of a model's files, downloading those of a Hub id."""
    if Path(name).is_dir():
        return Path(name)
    if "/" in name:
        return _downloaded(name, revision)
    try:
        return shipped_folder(name)
    except UserError as error:
        raise UserError(f"{error} A local folder or a Hub id (owner/name) does as well.") from error


def _downloaded(name: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, revision=revision, ignore_patterns=["*.bin", "*.gguf", "original/*"]))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{name!r} is no local folder, and could not be had from the Hub: {reason} "
            "Give the path of a folder, or check the name, the revision and the network."
        ) from error


def device_of(device: str) -> torch.device:
    """Return the device called `device`; `auto` is the GPU where there is one."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"There is no device {device!r} here: {reason}. Use cpu, cuda or auto.") from error


_WEIGHTS = (".safetensors", ".bin")
_SMALL = ("config.json", "generation_config.json", "chat_template.jinja", "special_tokens_map.json")
_TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "tokenizer.model", "vocab.json", "vocab.txt", "merges.txt")


def identity_of(folder: Path) -> str:
    """Hash the weights, configuration and tokenizer of a model folder, in 16 hexadecimal digits."""
    files = [f for f in sorted(folder.iterdir()) if f.suffix in _WEIGHTS or f.name in _SMALL + _TOKENIZER]
    total = hashlib.sha256()
    for file in files:
        total.update(f"{file.name} {sha256_of(file)}\n".encode())
    return total.hexdigest()[:16]


def check_site(model: Model, site: int) -> None:
    """Raise a UserError, with the known sites, where a model has no such site."""
    if type(site) is not int or not 0 <= site < len(model.blocks):
        raise UserError(f"{model.name} has no site {site!r}; its sites are 0 to {len(model.blocks) - 1}.")
