"""Tensors written as safetensors."""

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor


def write_tensors(tensors: Mapping[str, Tensor], path: Path, about: Mapping[str, str] | None = None) -> None:
    """Write tensors, with words about them as metadata; OSError where the disk is full, as with any other file."""
    try:
        save_file(dict(tensors), path, metadata=None if about is None else dict(about))
    except SafetensorError as error:
        raise OSError(str(error)) from error
