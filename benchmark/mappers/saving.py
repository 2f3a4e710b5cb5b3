"""Save and load fitted mappers as safetensors and JSON, without code of their own."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from graftbench.benchmark.core.files import atomic_write, write_text
from graftbench.benchmark.mappers.info import MapperInfo
from graftbench.benchmark.mappers.loading import make_mapper
from graftbench.benchmark.mappers.protocol import Mapper

TENSORS_FILE, RECORD_FILE = "mapper.safetensors", "mapper.json"


def save(mapper: Mapper, info: MapperInfo, widths: tuple[int, int], folder: Path) -> None:
    """Write a fitted mapper into a folder, with its widths (d_source, d_target).

    TypeError where it has a field that is no tensor, number or string.
    """
    tensors, fields = tensors_and_fields(mapper)
    with atomic_write(folder / TENSORS_FILE) as path:
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, path)
    record = {
        "name": info.name,
        "d_source": widths[0],
        "d_target": widths[1],
        "options": info.options,
        "fields": fields,
    }
    write_text(folder / RECORD_FILE, json.dumps(record, indent=2, sort_keys=True) + "\n")


def load(info: MapperInfo, folder: Path) -> Mapper:
    """Load the fitted mapper in a folder, as an instance of the class of `info`."""
    record = json.loads((folder / RECORD_FILE).read_text())
    tensors = load_file(folder / TENSORS_FILE)
    mapper = make_mapper(info, record["d_source"], record["d_target"])
    if isinstance(mapper, nn.Module):
        mapper.load_state_dict(tensors)
        return mapper
    for name, value in (tensors | record["fields"]).items():
        object.__setattr__(mapper, name, value)
    return mapper


def tensors_and_fields(mapper: Mapper) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return a mapper's tensors by name, and its other fields.

    TypeError where one of these is no number, string or None.
    """
    if isinstance(mapper, nn.Module):
        return dict(mapper.state_dict()), {}
    if not dataclasses.is_dataclass(mapper):
        raise TypeError(
            "a mapper is an nn.Module or a dataclass of tensors, numbers and strings, or it cannot be saved"
        )
    fields = {field.name: vars(mapper)[field.name] for field in dataclasses.fields(mapper)}
    tensors = {name: value for name, value in fields.items() if isinstance(value, Tensor)}
    others = {name: value for name, value in fields.items() if name not in tensors}
    wrong = [name for name, value in others.items() if not isinstance(value, str | int | float | bool | None)]
    if wrong:
        raise TypeError(f"the field {wrong[0]} is no tensor, number or string, so the mapper cannot be saved")
    return tensors, others


def n_parameters(mapper: Mapper) -> int:
    """Return the number of elements of a fitted mapper's tensors."""
    return sum(tensor.numel() for tensor in tensors_and_fields(mapper)[0].values())


def n_bytes(mapper: Mapper) -> int:
    """Return the number of bytes of a fitted mapper's tensors."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors_and_fields(mapper)[0].values())
