"""Fitted mappers as safetensors and JSON, without code of their own."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from graftbench.benchmark.core.files import whole, write_text
from graftbench.benchmark.mappers.loading import MapperInfo
from graftbench.benchmark.mappers.protocol import Mapper

TENSORS, REST = "mapper.safetensors", "mapper.json"


def save(mapper: Mapper, found: MapperInfo, widths: tuple[int, int], folder: Path) -> None:
    """Write a fitted mapper into a folder. TypeError where it holds what is no tensor, number or string."""
    tensors, rest = parts(mapper)
    with whole(folder / TENSORS) as path:
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, path)
    record = {
        "name": found.name,
        "d_source": widths[0],
        "d_target": widths[1],
        "options": found.options,
        "fields": rest,
    }
    write_text(folder / REST, json.dumps(record, indent=2, sort_keys=True) + "\n")


def load(found: MapperInfo, folder: Path) -> Mapper:
    """The fitted mapper in a folder, of the class that is given."""
    record = json.loads((folder / REST).read_text())
    tensors = load_file(folder / TENSORS)
    mapper = found.make(record["d_source"], record["d_target"])
    if isinstance(mapper, nn.Module):
        mapper.load_state_dict(tensors)
        return mapper
    for name, value in (tensors | record["fields"]).items():
        object.__setattr__(mapper, name, value)
    return mapper


def parts(mapper: Mapper) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """A mapper's tensors, and its numbers and strings."""
    if isinstance(mapper, nn.Module):
        return dict(mapper.state_dict()), {}
    if not dataclasses.is_dataclass(mapper):
        raise TypeError(
            "a mapper is an nn.Module or a dataclass of tensors, numbers and strings, or it cannot be saved"
        )
    fields = {field.name: vars(mapper)[field.name] for field in dataclasses.fields(mapper)}
    tensors = {name: value for name, value in fields.items() if isinstance(value, Tensor)}
    rest = {name: value for name, value in fields.items() if name not in tensors}
    wrong = [name for name, value in rest.items() if not isinstance(value, str | int | float | bool | None)]
    if wrong:
        raise TypeError(f"the field {wrong[0]} is no tensor, number or string, so the mapper cannot be saved")
    return tensors, rest


def n_parameters(mapper: Mapper) -> int:
    """How many numbers a fitted mapper holds in its tensors."""
    return sum(tensor.numel() for tensor in parts(mapper)[0].values())


def n_bytes(mapper: Mapper) -> int:
    """How many bytes these take up."""
    return sum(tensor.numel() * tensor.element_size() for tensor in parts(mapper)[0].values())
