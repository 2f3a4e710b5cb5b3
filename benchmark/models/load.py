"""Models from the pocket zoo, a local folder or the Hub, with their tokenizer, blocks and identity."""

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.hashing import digest
from graftbench.benchmark.models.adapters import Adapter, adapter_in, merged
from graftbench.benchmark.models.architectures import Blocks
from graftbench.benchmark.models.block_search import blocks_of
from graftbench.benchmark.models.cache_check import check_cache
from graftbench.benchmark.models.chat_formats import OWN, template_of
from graftbench.benchmark.models.choices import Dtype as Dtype  # imported from here where models are loaded
from graftbench.benchmark.models.config_check import check_config
from graftbench.benchmark.models.devices import device_of, free_by_gpu, is_spread
from graftbench.benchmark.models.folders import folder_of, identity_of
from graftbench.benchmark.models.handle import ModelHandle
from graftbench.benchmark.models.sizes import context_of, n_bytes, width_of
from graftbench.benchmark.models.weights import quiet_transformers, read_weights, reason_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel


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
        """Device of the weights; of the first of them where several GPUs hold them."""
        return self.module.device

    @property
    def dtype(self) -> torch.dtype:
        """Type of the weights."""
        return self.module.dtype

    @property
    def d(self) -> int:
        """Width of the residual stream."""
        return width_of(self.module.config)

    @property
    def n_blocks(self) -> int:
        """Number of blocks, and of sites."""
        return len(self.blocks)

    @property
    def context(self) -> float:
        """Maximum number of positions, from the configuration; infinite where it names none."""
        return context_of(self.module.config)

    @property
    def n_bytes(self) -> int:
        """Bytes of the weights."""
        return sum(each.numel() * each.element_size() for each in self.module.parameters())

    def loaded(self) -> AbstractContextManager["Model"]:
        """Return a `with` block's model: this one, which is there in any case."""
        return nullcontext(self)


@dataclass(frozen=True, eq=False)
class ModelFiles:
    """The files of a model, and how they are read; `base` is the folder of its weights, another one for an adapter."""

    name: str
    folder: Path
    base: Path
    adapter: Adapter | None
    tokenizer: PreTrainedTokenizerFast
    dtype: Dtype
    device: torch.device
    blocks: str | None
    writers: Sequence[str] | None
    chat: str

    @cached_property
    def identity(self) -> str:
        """The hash of the files, and what else decides about results."""
        weights = identity_of(self.folder)
        if self.adapter is not None:
            weights = digest(identity_of(self.base), weights)[:16]
        named = self.blocks is not None or self.writers is not None
        named_blocks = f"-{self.blocks}:{','.join(self.writers or ())}" if named else ""
        template = template_of(self.chat)
        named_format = "" if template is None else f"-chat:{digest(template)[:16]}"
        return f"{weights}-{self.dtype}{named_blocks}{named_format}"

    @property
    def n_bytes(self) -> int:
        """Bytes of the weights, by their files."""
        return n_bytes(self.base, DTYPES[self.dtype])


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
    return read(files_of(name, revision, dtype, device, blocks, writers, chat))


def files_of(
    name: str,
    revision: str | None = None,
    dtype: Dtype = "float32",
    device: str = "auto",
    blocks: str | None = None,
    writers: Sequence[str] | None = None,
    chat: str = OWN,
) -> ModelFiles:
    """Return the files of a model, named as for `load`; UserError where they cannot be those of one."""
    if writers is not None and not writers:
        raise UserError("`writers` names no part of a block: leave it out, and they are found.")
    folder = folder_of(name, revision)
    adapter = adapter_in(folder)
    base = folder if adapter is None else _base_of(adapter)
    check_config(base)
    has_tokenizer = adapter is None or (folder / "tokenizer_config.json").is_file()
    tokenizer = read_tokenizer(name, folder if has_tokenizer else base, chat)
    return ModelFiles(name, folder, base, adapter, tokenizer, dtype, device_of(device), blocks, writers, chat)


def read(files: ModelFiles) -> Model:
    """Read the weights of a model, onto several GPUs where one is too small; UserError where they cannot be used."""
    free = free_by_gpu(files.device)
    spread = len(free) > 1 and is_spread(files.name, files.n_bytes, free)
    module = _module(files, spread=spread)
    if spread:
        sys.stderr.write(f"graftbench: {files.name} does not fit on one GPU, and is spread over {len(free)}.\n")
    else:
        module.to(files.device)  # type: ignore[arg-type]
    module.eval()
    check_cache(module)
    return Model(files.name, module, files.tokenizer, blocks_of(module, files.blocks, files.writers), files.identity)


def _module(files: ModelFiles, *, spread: bool) -> "PreTrainedModel":
    """Return a model on the CPU, or spread over all GPUs. UserError for an adapter of a model that has to be spread."""
    if files.adapter is None:
        return read_weights(files.base, DTYPES[files.dtype], spread=spread)
    if spread:
        raise UserError(
            f"{files.name} is an adapter of a model that one GPU does not hold: merge it into a folder of its own, and "
            "name that."
        )
    module = merged(read_weights(files.base, torch.float32), files.adapter)  # in low precision some would vanish
    module.to(DTYPES[files.dtype])  # type: ignore[arg-type]
    return module


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


def check_site(model: ModelHandle, site: int) -> None:
    """Raise a UserError, with the known sites, where a model has no such site."""
    if type(site) is not int or not 0 <= site < model.n_blocks:
        raise UserError(f"{model.name} has no site {site!r}; its sites are 0 to {model.n_blocks - 1}.")
