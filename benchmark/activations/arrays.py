"""Rows of float32 that lie in a file and are mapped for a while: pages that were read are let go again."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

DTYPE = "<f4"


@dataclass(frozen=True)
class ArrayFile:
    """Rows [n, d] of float32 in a file; `offset` is where the first begins, in bytes."""

    path: Path
    offset: int
    shape: tuple[int, int]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> "ArrayFile":
        """Some of the rows that follow one another."""
        start, stop, step = rows.indices(len(self))
        if step != 1:
            raise ValueError(f"rows that follow one another are wanted, not every {step}th")
        n, d = max(0, stop - start), self.shape[1]
        return replace(self, offset=self.offset + start * d * np.dtype(DTYPE).itemsize, shape=(n, d))

    def mapped(self) -> NDArray[np.float32]:
        """The rows as an array that is mapped as long as it is held."""
        return np.memmap(self.path, DTYPE, "r", self.offset, self.shape)

    def read(self) -> NDArray[np.float32]:
        """The rows as an array in memory."""
        n, d = self.shape
        return np.fromfile(self.path, DTYPE, n * d, offset=self.offset).reshape(self.shape)


Rows = NDArray[np.float32] | ArrayFile


def mapped(rows: Rows) -> NDArray[np.float32]:
    """Rows as an array, wherever they lie."""
    return rows.mapped() if isinstance(rows, ArrayFile) else rows


def held(rows: Rows) -> NDArray[np.float32]:
    """Rows as an array in memory, wherever they lie."""
    return rows.read() if isinstance(rows, ArrayFile) else rows


def on_disk(path: Path) -> ArrayFile:
    """The rows in an .npy file of float32; ValueError where it holds something else."""
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    if array.ndim != 2 or array.dtype != DTYPE or not array.flags.c_contiguous:
        raise ValueError(f"{path} does not hold rows of float32")
    return ArrayFile(path, int(array.offset), (int(array.shape[0]), int(array.shape[1])))
