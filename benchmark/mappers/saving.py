"""Save and load fitted mappers as safetensors and JSON, without code of their own."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor

from graftbench.benchmark.activations.tensor_files import write_tensors
from graftbench.benchmark.core.files import atomic_write, write_text
from graftbench.benchmark.mappers.info import MapperInfo

TENSORS_FILE, RECORD_FILE = "mapper.safetensors", "mapper.json"
Widths = tuple[int, int]  # d_source, d_target


def write_state(
    info: MapperInfo, widths: Widths, tensors: Mapping[str, Tensor], fields: Mapping[str, Any], folder: Path
) -> None:
    """Write the tensors, contiguous and on the CPU, and the other fields of a fitted mapper into a folder."""
    with atomic_write(folder / TENSORS_FILE) as path:
        write_tensors(tensors, path)
    record = {
        "name": info.name,
        "d_source": widths[0],
        "d_target": widths[1],
        "options": info.options,
        "fields": fields,
    }
    write_text(folder / RECORD_FILE, json.dumps(record, indent=2, sort_keys=True) + "\n")


def read_state(folder: Path) -> tuple[Widths, dict[str, Tensor], dict[str, Any]]:
    """Return the widths, the tensors and the other fields of the fitted mapper in a folder."""
    record = json.loads((folder / RECORD_FILE).read_text())
    return (record["d_source"], record["d_target"]), load_file(folder / TENSORS_FILE), record["fields"]


def size_of(folder: Path) -> tuple[int, int]:
    """Return the number of elements of the tensors of the fitted mapper in a folder, and that of their bytes."""
    tensors = load_file(folder / TENSORS_FILE).values()
    return sum(each.numel() for each in tensors), sum(each.numel() * each.element_size() for each in tensors)
