"""A model's residual stream on whole texts at one site, cached on disk whatever it is paired with."""

from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from graftbench.benchmark.activations.arrays import ON_DISK, ArrayFile, as_stored, open_npy, row_bytes, write_header
from graftbench.benchmark.activations.capture import capture_rows
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.files import atomic_write
from graftbench.benchmark.models.load import DTYPES, Dtype, Model
from graftbench.benchmark.models.tokens import TokenRows, token_ids

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

    def select(self, tokens: "RaggedInts") -> Iterator[NDArray[Any]]:
        """Yield for each text the activations [len(tokens[i]), d] of some of its tokens, as they are stored."""
        per_map = max(1, _MAPPED // row_bytes(self.rows))
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
    folder: Path,
    model: Model,
    site: int,
    texts: Sequence[str],
    progress: Callable[[int], None] = lambda _: None,
    dtype: Dtype = "float32",
) -> None:
    """Write the activations [tokens, d] of a model at the input of block `site` on texts in its chat format.

    As `write_states` writes them.
    """
    ids = RaggedInts()
    for text in texts:
        ids.add(token_ids(text, model.tokenizer))
    write_states(folder / _ROWS, model, site, ids, None, dtype, progress)
    with atomic_write(folder / _STARTS) as path, path.open("wb") as file:
        np.save(file, ids.starts(), allow_pickle=False)


def write_states(
    path: Path,
    model: Model,
    site: int,
    ids: TokenRows,
    tokens: "RaggedInts | None",
    dtype: Dtype,
    progress: Callable[[int], None],
) -> None:
    """Write the activations [n, d] of a model at the input of block `site`, text after text.

    `ids` are the token ids of each text, and `tokens` says of which of them activations are written: of all where it is
    None. One batch of texts is in memory at a time, and `progress` is called with 1 for each text.

    FloatingPointError where an activation is not finite; UserError where one is too large for `dtype`, or the disk has
    no room.
    """
    starts = _starts(ids if tokens is None else tokens)
    with atomic_write(path) as unfinished, unfinished.open("wb") as file:  # not mapped: a full disk is an error here
        first, n_bytes = write_header(file, (starts[-1], model.d), ON_DISK[dtype]), DTYPES[dtype].itemsize
        for i, states in capture_rows(model, ids, site):
            rows = _stored(states if tokens is None else states[list(tokens[i])], dtype, model, site)
            file.seek(first + n_bytes * model.d * starts[i])
            file.write(rows.tobytes())
            progress(1)


def _starts(rows: TokenRows) -> list[int]:
    """Return the first place of each list of tokens where all are put end to end, and the end of the last."""
    return list(accumulate((len(rows[i]) for i in range(len(rows))), initial=0))


def _stored(states: Tensor, dtype: Dtype, model: Model, site: int) -> NDArray[Any]:
    """Return states [tokens, d] as a file holds them; errors as `write_states` raises them."""
    if not states.isfinite().all():
        raise FloatingPointError(f"{model.name} has activations that are not finite at site {site}")
    if (states.abs() > torch.finfo(DTYPES[dtype]).max).any():
        raise UserError(
            f"{model.name} has activations at site {site} that are too large for {dtype}: write `storage: bfloat16`, "
            "or float32, in the suite."
        )
    return as_stored(states, dtype)


def read_stream(folder: Path) -> Stream:
    """Open the stream in a folder; its rows [tokens, d] stay on disk until they are used."""
    return Stream(open_npy(folder / _ROWS), np.load(folder / _STARTS, allow_pickle=False))
