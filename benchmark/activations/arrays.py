"""Activations in a file, memory-mapped in windows so that resident memory stays small; read as float32."""

import math
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from graftbench.benchmark.core.errors import UserError

if TYPE_CHECKING:
    from graftbench.benchmark.models.load import Dtype

_GIB = 2**30
ON_DISK: "dict[Dtype, str]" = {"float32": "<f4", "bfloat16": "<i2", "float16": "<f2"}  # NumPy lacks bfloat16: its bits


@dataclass(frozen=True)
class ArrayFile:
    """Rows [n, d] of a type of `ON_DISK` in a file; `offset` is the first byte of the first row."""

    path: Path
    offset: int
    shape: tuple[int, int]
    dtype: str = ON_DISK["float32"]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> "ArrayFile":
        """Return consecutive rows [stop - start, d], still in the file."""
        start, stop, step = rows.indices(len(self))
        if step != 1:
            raise ValueError(f"rows that follow one another are wanted, not every {step}th")
        n, d = max(0, stop - start), self.shape[1]
        return replace(self, offset=self.offset + start * d * np.dtype(self.dtype).itemsize, shape=(n, d))

    def memmap(self) -> NDArray[Any]:
        """Map the rows [n, d] into memory, as they are stored; pages that were read are freed with the array."""
        return np.memmap(self.path, self.dtype, "r", self.offset, self.shape)

    def read(self) -> NDArray[Any]:
        """Read the rows [n, d] into memory, as they are stored."""
        n, d = self.shape
        return np.fromfile(self.path, self.dtype, n * d, offset=self.offset).reshape(self.shape)


Rows = NDArray[Any] | ArrayFile  # [n, d] of a type of `ON_DISK`


def as_memmap(rows: Rows) -> NDArray[Any]:
    """Return rows [n, d] as an array, memory-mapped where they are in a file."""
    return rows.memmap() if isinstance(rows, ArrayFile) else rows


def in_memory(rows: Rows) -> NDArray[Any]:
    """Return rows [n, d] as an array in memory, read where they are in a file."""
    return rows.read() if isinstance(rows, ArrayFile) else rows


def row_bytes(rows: Rows) -> int:
    """Return the bytes of one of the rows [n, d], as it is stored."""
    return int(rows.shape[1]) * np.dtype(rows.dtype).itemsize


def as_stored(rows: Tensor, dtype: "Dtype") -> NDArray[Any]:
    """Return rows [n, d] of a tensor as a file holds them."""
    from graftbench.benchmark.models.load import DTYPES  # who only reads rows needs no transformers

    kept = rows.detach().to(DTYPES[dtype]).cpu().contiguous()
    return (kept.view(torch.int16) if dtype == "bfloat16" else kept).numpy()


def as_tensor(rows: NDArray[Any], device: str) -> Tensor:
    """Return rows [n, d] as a file holds them as a tensor of float32 on a device, a copy of them."""
    copied = torch.from_numpy(np.array(rows)).to(device)
    return (copied.view(torch.bfloat16) if rows.dtype == ON_DISK["bfloat16"] else copied).float()


def write_header(file: BinaryIO, shape: tuple[int, int], dtype: str) -> int:
    """Write the header of an .npy file of rows [n, d]; return the first byte of the first row.

    UserError where the disk has no room for the rows.
    """
    needed, free = math.prod(shape) * np.dtype(dtype).itemsize, shutil.disk_usage(Path(file.name).parent).free
    if needed > free:
        raise too_large(needed, free)
    np.lib.format.write_array_header_1_0(file, {"descr": dtype, "fortran_order": False, "shape": shape})
    return file.tell()


def too_large(needed: float, free: float) -> UserError:
    """Return the error that activations of so many bytes do not fit on the cache's disk."""
    return UserError(
        f"The activations that mappers are fitted on take {needed / _GIB:.1f} GiB, and the cache's disk has "
        f"{free / _GIB:.1f} GiB left: write `pairs: N` in the suite to fit on so many sampled tokens, or set "
        "GRAFTBENCH_CACHE to a folder on a larger disk."
    )


def open_npy(path: Path) -> ArrayFile:
    """Open an .npy file of rows [n, d] without reading them; ValueError where it holds something else."""
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    if array.ndim != 2 or array.dtype.str not in ON_DISK.values() or not array.flags.c_contiguous:
        raise ValueError(f"{path} does not hold rows of activations")
    return ArrayFile(path, int(array.offset), (int(array.shape[0]), int(array.shape[1])), array.dtype.str)
