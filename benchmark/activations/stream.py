"""A model's residual stream on whole texts at one site, cached on disk whatever it is paired with."""

from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from graftbench.benchmark.activations.arrays import DTYPE, ArrayFile, open_npy
from graftbench.benchmark.activations.capture import capture_rows
from graftbench.benchmark.core.files import atomic_write
from graftbench.benchmark.models.load import Model
from graftbench.benchmark.models.tokens import token_ids

_MAPPED = 2**23  # bytes of the file in memory at a time
_ROWS, _STARTS = "states.npy", "starts.npy"


@dataclass(frozen=True)
class Stream:
    """The activations of every token of some texts, one text after the other."""

    rows: ArrayFile  # [tokens, d]
    starts: NDArray[np.int64]  # [texts + 1], the first row of each text, and the end of the last

    @property
    def d(self) -> int:
        """Width of the residual stream."""
        return self.rows.shape[1]

    def select(self, tokens: "RaggedInts") -> Iterator[NDArray[np.float32]]:
        """Yield for each text the activations [len(tokens[i]), d] of some of its tokens."""
        per_map = max(1, _MAPPED // (4 * self.d))
        n_mapped = per_map
        for i, start in enumerate(self.starts[:-1].tolist()):
            if n_mapped >= per_map:
                rows, n_mapped = self.rows.memmap(), 0
            n_mapped += int(self.starts[i + 1]) - start
            yield rows[[start + token for token in tokens[i]]]


class RaggedInts:
    """Many short lists of integers, end to end: four bytes for each, where a tuple takes some thirty."""

    def __init__(self) -> None:
        self._numbers, self._ends = array("i"), array("q", [0])

    def add(self, numbers: Sequence[int]) -> None:
        """Append a list."""
        self._numbers.extend(numbers)
        self._ends.append(len(self._numbers))

    def starts(self) -> NDArray[np.int64]:
        """Return the start of each list, and the end of the last, [lists + 1]."""
        return np.array(self._ends)

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, i: int) -> Sequence[int]:
        return self._numbers[self._ends[i] : self._ends[i + 1]]


def write_stream(
    folder: Path, model: Model, site: int, texts: Sequence[str], progress: Callable[[int], None] = lambda _: None
) -> None:
    """Write the activations [tokens, d] of a model at the input of block `site` on texts in its chat format.

    One batch of texts is in memory at a time, and `progress` is called with 1 for each text. FloatingPointError where
    an activation is not finite.
    """
    ids = RaggedInts()
    for text in texts:
        ids.add(token_ids(text, model.tokenizer))
    starts = ids.starts()
    with atomic_write(folder / _ROWS) as path, path.open("wb") as file:  # not mapped: a full disk is an error here
        first = write_header(file, (int(starts[-1]), model.d))
        for i, states in capture_rows(model, ids, site):
            rows = states.float().cpu().numpy()
            if not np.isfinite(rows).all():
                raise FloatingPointError(f"{model.name} has activations that are not finite at site {site}")
            file.seek(first + 4 * model.d * int(starts[i]))
            file.write(as_bytes(rows))
            progress(1)
    with atomic_write(folder / _STARTS) as path, path.open("wb") as file:
        np.save(file, starts, allow_pickle=False)


def read_stream(folder: Path) -> Stream:
    """Open the stream in a folder; its rows [tokens, d] stay on disk until they are used."""
    return Stream(open_npy(folder / _ROWS), np.load(folder / _STARTS, allow_pickle=False))


def write_header(file: BinaryIO, shape: tuple[int, int]) -> int:
    """Write the header of an .npy file of float32 rows [n, d]; return the first byte of the first row."""
    np.lib.format.write_array_header_1_0(file, {"descr": DTYPE, "fortran_order": False, "shape": shape})
    return file.tell()


def as_bytes(rows: NDArray[np.float32]) -> bytes:
    """Return rows [n, d] as their bytes in an .npy file."""
    return np.ascontiguousarray(rows, dtype=DTYPE).tobytes()
