"""A model's residual stream over whole texts, at one site, on disk: read once, whatever it is paired with."""

from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from graftbench.benchmark.activations import arrays as stored
from graftbench.benchmark.activations.capture import captured
from graftbench.benchmark.core.files import whole
from graftbench.benchmark.models.load import Model
from graftbench.benchmark.models.tokens import token_ids

_MAPPED = 2**23  # bytes of the file in memory at a time
_ROWS, _STARTS = "states.npy", "starts.npy"


@dataclass(frozen=True)
class Stream:
    """The states [tokens, d] of every token of some texts, one text after the other."""

    rows: stored.ArrayFile
    starts: NDArray[np.int64]  # where each text begins, and where the last one ends

    @property
    def d(self) -> int:
        """The width of the residual stream."""
        return self.rows.shape[1]

    def picked(self, tokens: "RaggedInts") -> Iterator[NDArray[np.float32]]:
        """For each text in turn the states of some of its tokens."""
        per_map = max(1, _MAPPED // (4 * self.d))
        since = per_map
        for i, start in enumerate(self.starts[:-1].tolist()):
            if since >= per_map:
                mapped, since = self.rows.mapped(), 0
            since += int(self.starts[i + 1]) - start
            yield mapped[[start + token for token in tokens[i]]]


class RaggedInts:
    """Many short lists of numbers, end to end: four bytes for each, where a tuple takes some thirty."""

    def __init__(self) -> None:
        self._numbers, self._ends = array("i"), array("q", [0])

    def add(self, numbers: Sequence[int]) -> None:
        """One list more."""
        self._numbers.extend(numbers)
        self._ends.append(len(self._numbers))

    def starts(self) -> NDArray[np.int64]:
        """Where each list begins, and where the last one ends."""
        return np.array(self._ends)

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, i: int) -> Sequence[int]:
        return self._numbers[self._ends[i] : self._ends[i + 1]]


def write_stream(
    folder: Path, model: Model, site: int, words: Sequence[str], done: Callable[[int], None] = lambda _: None
) -> None:
    """Write the states of a model at the input of block `site` on some texts, in its own format.

    One batch of texts is in memory at a time. `done` is told of each text. FloatingPointError where a state is not
    finite.
    """
    ids = RaggedInts()
    for text in words:
        ids.add(token_ids(text, model.tokenizer))
    starts = ids.starts()
    with whole(folder / _ROWS) as path, path.open("wb") as stream:  # not mapped: a full disk is an error here
        first = write_header(stream, (int(starts[-1]), model.d))
        for i, states in captured(model, ids, site):
            kept = states.float().cpu().numpy()
            if not np.isfinite(kept).all():
                raise FloatingPointError(f"{model.name} has activations that are not finite at site {site}")
            stream.seek(first + 4 * model.d * int(starts[i]))
            stream.write(as_bytes(kept))
            done(1)
    with whole(folder / _STARTS) as path, path.open("wb") as stream:
        np.save(stream, starts, allow_pickle=False)


def read_stream(folder: Path) -> Stream:
    """The stream in a folder; it stays on disk until it is asked for."""
    return Stream(stored.on_disk(folder / _ROWS), np.load(folder / _STARTS, allow_pickle=False))


def write_header(stream: BinaryIO, shape: tuple[int, int]) -> int:
    """Begin an .npy file of float32; gives where the first row begins, in bytes."""
    np.lib.format.write_array_header_1_0(stream, {"descr": stored.DTYPE, "fortran_order": False, "shape": shape})
    return stream.tell()


def as_bytes(rows: NDArray[np.float32]) -> bytes:
    """Rows as they stand in a file."""
    return np.ascontiguousarray(rows, dtype=stored.DTYPE).tobytes()
