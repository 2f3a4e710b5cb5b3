"""float32 arrays in a file, memory-mapped in windows so that resident memory stays small."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

DTYPE = "<f4"


@dataclass(frozen=True)
class ArrayFile:
    """Rows [n, d] of float32 in a file; `offset` is the first byte of the first row."""

    path: Path
    offset: int
    shape: tuple[int, int]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> "ArrayFile":
        """Return consecutive rows [stop - start, d], still in the file."""
        start, stop, step = rows.indices(len(self))
        if step != 1:
            raise ValueError(f"rows that follow one another are wanted, not every {step}th")
        n, d = max(0, stop - start), self.shape[1]
        return replace(self, offset=self.offset + start * d * np.dtype(DTYPE).itemsize, shape=(n, d))

    def memmap(self) -> NDArray[np.float32]:
        """Map the rows [n, d] into memory; pages that were read are freed with the array."""
        return np.memmap(self.path, DTYPE, "r", self.offset, self.shape)

    def read(self) -> NDArray[np.float32]:
        """Read the rows [n, d] into memory."""
        n, d = self.shape
        return np.fromfile(self.path, DTYPE, n * d, offset=self.offset).reshape(self.shape)


Rows = NDArray[np.float32] | ArrayFile  # [n, d]


def as_memmap(rows: Rows) -> NDArray[np.float32]:
    """Return rows [n, d] as an array, memory-mapped where they are in a file."""
    return rows.memmap() if isinstance(rows, ArrayFile) else rows


def in_memory(rows: Rows) -> NDArray[np.float32]:
    """Return rows [n, d] as an array in memory, read where they are in a file."""
    return rows.read() if isinstance(rows, ArrayFile) else rows


def open_npy(path: Path) -> ArrayFile:
    """Open an .npy file of float32 rows [n, d] without reading them; ValueError where it holds something else."""
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    if array.ndim != 2 or array.dtype != DTYPE or not array.flags.c_contiguous:
        raise ValueError(f"{path} does not hold rows of float32")
    return ArrayFile(path, int(array.offset), (int(array.shape[0]), int(array.shape[1])))
