"""Paired activations of a source and a target model, on disk, on which mappers are fitted.

It imports no model: the process of a submission reads pairs, and starts without transformers.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from graftbench.benchmark.activations.arrays import Rows, as_memmap, as_tensor, in_memory, open_npy, row_bytes
from graftbench.benchmark.core.errors import TooFewPairsError

HELD_OUT = 0.1  # of the texts: the share on which built-in mappers choose what they choose
PAIR_FILES = ("source.npy", "target.npy", "starts.npy", "aligned.npy")  # of a folder of pairs
PairRows = tuple[Tensor, Tensor]  # source [n, d_source] and target [n, d_target], float32

_MAPPED = 2**23  # bytes of the arrays in memory at a time
_PAGES = 2**16  # bytes that Linux maps around each byte that is read
_SHUFFLED_IN_MEMORY = 2**26  # bytes of both arrays: from a map, every shuffled row would cost a page


class Pairs(Protocol):
    """Training data of a mapper: aligned rows of the source [pairs, d_source] and of the target [pairs, d_target]."""

    @property
    def d_source(self) -> int:
        """Width of the source's residual stream."""

    @property
    def d_target(self) -> int:
        """Width of the target's residual stream."""

    @property
    def n_texts(self) -> int:
        """Number of texts from which the pairs come."""

    def __len__(self) -> int:
        """Return the number of pairs."""

    def batches(self, size: int, shuffle_seed: int | None) -> Iterator[PairRows]:
        """Yield all pairs once, as [size, d_source] and [size, d_target]: in order, or shuffled by a seed."""

    def __iter__(self) -> Iterator[PairRows]:
        """Yield all pairs once, in order, in batches of a fixed size."""

    def split(self, share: float) -> tuple[Self, Self]:
        """Split off the last `share` of the texts; return the other pairs first."""


@dataclass(frozen=True)
class ActivationPairs:
    """Pairs as rows in memory or on disk, yielded in float32; the rows of a text follow one another."""

    source: Rows  # [pairs, d_source]
    target: Rows  # [pairs, d_target]
    starts: NDArray[np.int64]  # [texts], the first row of each text
    device: str = "cpu"

    @property
    def d_source(self) -> int:
        """Width of the source's residual stream."""
        return int(self.source.shape[1])

    @property
    def d_target(self) -> int:
        """Width of the target's residual stream."""
        return int(self.target.shape[1])

    @property
    def n_texts(self) -> int:
        """Number of texts from which the pairs come."""
        return len(self.starts)

    def __len__(self) -> int:
        return len(self.source)

    def __iter__(self) -> Iterator[PairRows]:
        return self.batches(4096, None)

    def batches(self, size: int, shuffle_seed: int | None) -> Iterator[PairRows]:
        """Yield all pairs once, as [size, d_source] and [size, d_target]: in order, or shuffled by a seed."""
        order = None if shuffle_seed is None else np.random.default_rng(shuffle_seed).permutation(len(self))
        pairs = self if order is None or self._bytes() > _SHUFFLED_IN_MEMORY else self._in_memory()
        per_map = max(1, _MAPPED // (size * self._bytes_touched(shuffled=order is not None)))
        for i, start in enumerate(range(0, len(self), size)):
            if i % per_map == 0:
                source, target = as_memmap(pairs.source), as_memmap(pairs.target)
            rows = slice(start, start + size) if order is None else order[start : start + size]
            yield self._tensor(source[rows]), self._tensor(target[rows])

    def split(self, share: float) -> tuple["ActivationPairs", "ActivationPairs"]:
        """Split off the last `share` of the texts; return the other pairs first. TooFewPairsError for one text."""
        n = len(self.starts) - max(1, round(share * len(self.starts)))
        if n == 0:
            raise TooFewPairsError("one text cannot be split")
        row = int(self.starts[n])
        first = ActivationPairs(self.source[:row], self.target[:row], self.starts[:n], self.device)
        return first, ActivationPairs(self.source[row:], self.target[row:], self.starts[n:] - row, self.device)

    def _in_memory(self) -> "ActivationPairs":
        return replace(self, source=in_memory(self.source), target=in_memory(self.target))

    def _bytes(self) -> int:
        """Return the memory that all pairs take."""
        return len(self) * (row_bytes(self.source) + row_bytes(self.target))

    def _bytes_touched(self, *, shuffled: bool) -> int:
        """Return the memory that is mapped to read one pair."""
        return sum(max(row_bytes(rows), _PAGES if shuffled else 0) for rows in (self.source, self.target))

    def _tensor(self, rows: NDArray[Any]) -> Tensor:
        return as_tensor(rows, self.device)


@dataclass(frozen=True)
class CapturedPairs:
    """Captured pairs, and the share of the target's tokens that have a partner."""

    pairs: ActivationPairs
    share_aligned: float


def read_pairs(folder: Path, device: str = "cpu") -> CapturedPairs:
    """Open the pairs in a folder; rows [pairs, d] stay on disk until they are used."""
    source, target = (open_npy(folder / f"{side}.npy") for side in ("source", "target"))
    starts = np.load(folder / "starts.npy", allow_pickle=False)
    share = float(np.load(folder / "aligned.npy", allow_pickle=False))
    return CapturedPairs(ActivationPairs(source, target, starts, device), share)
