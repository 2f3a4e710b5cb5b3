"""Paired activations of a source and a target model, on disk, to fit mappers on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from graftbench.benchmark.activations import arrays as stored
from graftbench.benchmark.activations.stream import RaggedInts, Stream, as_bytes, write_header
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.files import whole
from graftbench.benchmark.models.alignment import Alignment, ends, paired
from graftbench.benchmark.models.chat import Chat
from graftbench.benchmark.models.load import Model

Rows = tuple[Tensor, Tensor]  # source [n, d_source] and target [n, d_target], float32

_MAPPED = 2**23  # bytes of the arrays in memory at a time
_AROUND = 2**16  # bytes that Linux maps around one that is asked for
_HELD = 2**26  # bytes of both arrays that are read whole to be shuffled: rows here and there cost a page each


class Pairs(Protocol):
    """What a mapper is fitted on: rows of the source and of the target that belong together."""

    @property
    def d_source(self) -> int:
        """Width of the source's residual stream."""

    @property
    def d_target(self) -> int:
        """Width of the target's."""

    @property
    def n_texts(self) -> int:
        """How many texts the pairs come from."""

    def __len__(self) -> int:
        """How many pairs there are."""

    def batches(self, size: int, shuffle_seed: int | None) -> Iterator[Rows]:
        """All pairs once, `size` at a time: as they come with None, else in the order of that seed."""

    def __iter__(self) -> Iterator[Rows]:
        """All pairs once, in order, in batches of a handy size."""

    def split(self, share: float) -> tuple[Self, Self]:
        """The pairs without the last `share` of the texts, and those."""


@dataclass(frozen=True)
class ActivationPairs:
    """Pairs as rows [n, d] of float32, in memory or on disk; rows of one text follow one another.

    `starts` says at which row each text begins.
    """

    source: stored.Rows
    target: stored.Rows
    starts: NDArray[np.int64]
    device: str = "cpu"

    @property
    def d_source(self) -> int:
        """Width of the source's residual stream."""
        return int(self.source.shape[1])

    @property
    def d_target(self) -> int:
        """Width of the target's."""
        return int(self.target.shape[1])

    @property
    def n_texts(self) -> int:
        """How many texts the pairs come from."""
        return len(self.starts)

    def __len__(self) -> int:
        return len(self.source)

    def __iter__(self) -> Iterator[Rows]:
        return self.batches(4096, None)

    def batches(self, size: int, shuffle_seed: int | None) -> Iterator[Rows]:
        """All pairs once, `size` at a time: as they come with None, else in the order of that seed."""
        order = None if shuffle_seed is None else np.random.default_rng(shuffle_seed).permutation(len(self))
        pairs = self if order is None or self._bytes() > _HELD else self._held()
        per_map = max(1, _MAPPED // (size * self._bytes_touched(shuffled=order is not None)))
        for i, start in enumerate(range(0, len(self), size)):
            if i % per_map == 0:
                source, target = stored.mapped(pairs.source), stored.mapped(pairs.target)
            rows = slice(start, start + size) if order is None else order[start : start + size]
            yield self._tensor(source[rows]), self._tensor(target[rows])

    def split(self, share: float) -> tuple["ActivationPairs", "ActivationPairs"]:
        """The pairs without the last `share` of the texts, and those."""
        n = len(self.starts) - max(1, round(share * len(self.starts)))
        if n == 0:
            raise ValueError("one text cannot be split")
        row = int(self.starts[n])
        first = ActivationPairs(self.source[:row], self.target[:row], self.starts[:n], self.device)
        return first, ActivationPairs(self.source[row:], self.target[row:], self.starts[n:] - row, self.device)

    def _held(self) -> "ActivationPairs":
        """The same pairs, in memory."""
        return replace(self, source=stored.held(self.source), target=stored.held(self.target))

    def _bytes(self) -> int:
        """How much memory all of the pairs take."""
        return 4 * len(self) * (self.d_source + self.d_target)

    def _bytes_touched(self, *, shuffled: bool) -> int:
        """How much of the arrays comes into memory for one pair."""
        return sum(max(4 * d, _AROUND if shuffled else 0) for d in (self.d_source, self.d_target))

    def _tensor(self, rows: NDArray[np.float32]) -> Tensor:
        return torch.from_numpy(np.array(rows)).to(self.device)


@dataclass(frozen=True)
class StreamedTexts:
    """Texts in a model's format, and the model's residual stream on them at one site."""

    model: Model
    texts: Sequence[Chat]
    stream: Stream


@dataclass(frozen=True)
class CapturedPairs:
    """Pairs as they were captured, and the share of the target's tokens that have a partner."""

    pairs: ActivationPairs
    share_aligned: float


def write_pairs(
    folder: Path,
    source: StreamedTexts,
    target: StreamedTexts,
    alignment: Alignment = "ends",
) -> None:
    """Write the aligned activations of two models that read the same texts, each in its own format.

    UserError where no token of any text has a partner.
    """
    picked_source, picked_target = RaggedInts(), RaggedInts()
    n_target = 0
    for ours, theirs in zip(source.texts, target.texts, strict=True):
        pairing = paired(ends(ours, source.model.tokenizer), ends(theirs, target.model.tokenizer), alignment)
        picked_source.add(pairing.source)
        picked_target.add(pairing.target)
        n_target += pairing.n_target
    starts = picked_source.starts()
    if not starts[-1]:
        names = source.model.name, target.model.name
        raise UserError("No token of {} ends where one of {} does: there is nothing to fit on.".format(*names))
    for name, reading, picked in (("source", source, picked_source), ("target", target, picked_target)):
        with whole(folder / f"{name}.npy") as path, path.open("wb") as stream:
            write_header(stream, (int(starts[-1]), reading.stream.d))
            for rows in reading.stream.picked(picked):
                stream.write(as_bytes(rows))
    with whole(folder / "starts.npy") as path, path.open("wb") as stream:
        np.save(stream, starts[:-1][np.diff(starts) > 0], allow_pickle=False)
    with whole(folder / "aligned.npy") as path, path.open("wb") as stream:
        np.save(stream, np.array(int(starts[-1]) / n_target), allow_pickle=False)


def read_pairs(folder: Path, device: str = "cpu") -> CapturedPairs:
    """The pairs in a folder; they stay on disk until they are asked for."""
    source, target = (stored.on_disk(folder / f"{side}.npy") for side in ("source", "target"))
    starts = np.load(folder / "starts.npy", allow_pickle=False)
    share = float(np.load(folder / "aligned.npy", allow_pickle=False))
    return CapturedPairs(ActivationPairs(source, target, starts, device), share)
