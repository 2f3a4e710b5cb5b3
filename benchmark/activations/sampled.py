"""A sample of the paired activations of many texts: a stated number of pairs, however many texts there are.

It depends on both tokenizers, so that no other pair of models shares it: rows go straight into the pairs' folder, and
memory holds a batch of texts and the numbers of the sampled pairs.
"""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from graftbench.benchmark.activations.arrays import open_npy, write_header
from graftbench.benchmark.activations.pair_writing import nothing_aligned, save_shape
from graftbench.benchmark.activations.stream import RaggedInts, write_states
from graftbench.benchmark.core.files import atomic_write
from graftbench.benchmark.data.examples import Conversations
from graftbench.benchmark.models.alignment import Alignment, Pairing, align, token_ends
from graftbench.benchmark.models.chat import with_reply
from graftbench.benchmark.models.handle import ModelHandle
from graftbench.benchmark.models.load import Dtype
from graftbench.benchmark.models.tokens import token_ids

SEED = 0  # of the sample
_AT_ONCE = 2**20  # numbers that are drawn
_ROWS_AT_ONCE = 2**12  # that are copied from one mapping, whose pages are freed with it


@dataclass(frozen=True)
class Side:
    """One model of a pair, and the site at which it is read."""

    model: ModelHandle
    site: int


@dataclass(frozen=True)
class _TokenizedTexts:
    """The token ids of some of the texts, made when they are asked for."""

    model: ModelHandle
    texts: Conversations
    where: list[int]

    def __len__(self) -> int:
        return len(self.where)

    def __getitem__(self, i: int) -> list[int]:
        return token_ids(with_reply(*self.texts[self.where[i]], self.model).text, self.model.tokenizer)


def write_sampled_pairs(
    folder: Path,
    source: Side,
    target: Side,
    texts: Conversations,
    alignment: Alignment,
    n_pairs: int,
    dtype: Dtype,
    progress: Callable[[int], None],
) -> None:
    """Write `n_pairs` of the aligned activations [pairs, d] of two models on the same texts, or all if they are fewer.

    Every pair is as likely as any other, whatever text it is in. `progress` is called with the number of texts done by
    either model. UserError where no token of any text has a partner; further errors as `write_states` raises them.
    """
    counts = np.zeros(len(texts), np.int64)
    n_target = 0
    for i, pairing in _pairings(source.model, target.model, texts, range(len(texts)), alignment):
        counts[i] = len(pairing.target)
        n_target += pairing.n_target
    if not counts.any():
        raise nothing_aligned(source.model, target.model)
    ends = counts.cumsum()
    drawn = sample(int(ends[-1]), n_pairs)
    bounds = np.searchsorted(drawn, np.concatenate([[0], ends]))
    where = np.flatnonzero(np.diff(bounds)).tolist()
    tokens = RaggedInts(), RaggedInts()
    for i, pairing in _pairings(source.model, target.model, texts, where, alignment):
        within = (drawn[bounds[i] : bounds[i + 1]] - (ends[i] - counts[i])).tolist()
        tokens[0].add([pairing.source[k] for k in within])
        tokens[1].add([pairing.target[k] for k in within])
    for name, side, chosen in zip(("source", "target"), (source, target), tokens, strict=True):
        progress(len(texts) - len(where))  # texts of which no pair was drawn
        ids = _TokenizedTexts(side.model, texts, where)
        with side.model.loaded() as model:
            write_states(folder / f"{name}.npy", model, side.site, ids, chosen, dtype, progress)
    save_shape(folder, tokens[0].starts()[:-1], int(ends[-1]) / n_target)


def write_sample(folder: Path, pairs: Path, share: float) -> None:
    """Write a share of the pairs [pairs, d] in another folder, one at the least, each as likely as any other."""
    starts, aligned = (np.load(pairs / name, allow_pickle=False) for name in ("starts.npy", "aligned.npy"))
    sides = {name: open_npy(pairs / f"{name}.npy") for name in ("source", "target")}
    total = len(sides["source"])
    drawn = sample(total, max(1, round(share * total)))
    for name, rows in sides.items():
        with atomic_write(folder / f"{name}.npy") as path, path.open("wb") as file:
            write_header(file, (len(drawn), rows.shape[1]), rows.dtype)
            for start in range(0, len(drawn), _ROWS_AT_ONCE):
                file.write(rows.memmap()[drawn[start : start + _ROWS_AT_ONCE]].tobytes())
    bounds = np.searchsorted(drawn, np.append(starts, total))
    save_shape(folder, bounds[:-1][np.diff(bounds) > 0], float(aligned))


def write_shuffled(folder: Path, pairs: Path, seed: int) -> None:
    """Write the pairs of another folder with the rows of the target permuted: none belongs to its source's row.

    But for luck: a permutation of many rows leaves one in its place on average.
    """
    with atomic_write(folder / "source.npy") as path:
        shutil.copyfile(pairs / "source.npy", path)
    rows = open_npy(pairs / "target.npy")
    order = np.random.default_rng(seed).permutation(len(rows))
    with atomic_write(folder / "target.npy") as path, path.open("wb") as file:
        write_header(file, (len(rows), rows.shape[1]), rows.dtype)
        for start in range(0, len(order), _ROWS_AT_ONCE):
            file.write(rows.memmap()[order[start : start + _ROWS_AT_ONCE]].tobytes())
    starts, aligned = (np.load(pairs / name, allow_pickle=False) for name in ("starts.npy", "aligned.npy"))
    save_shape(folder, starts, float(aligned))


def _pairings(
    source: ModelHandle, target: ModelHandle, texts: Conversations, where: "range | list[int]", alignment: Alignment
) -> Iterator[tuple[int, Pairing]]:
    """Yield index and aligned tokens of some of the texts."""
    for i in where:
        one, other = (token_ends(with_reply(*texts[i], model), model.tokenizer) for model in (source, target))
        yield i, align(one, other, alignment)


def sample(total: int, n: int) -> NDArray[np.int64]:
    """Return `n` of the numbers below `total` in order, each as likely as any other; all of them where they are fewer.

    Each number is given a random one by the seed, and those with the smallest are the sample. So a smaller sample is a
    part of a larger one.
    """
    rng = np.random.default_rng(SEED)
    kept, keys = np.empty(0, np.int64), np.empty(0)
    for start in range(0, total, _AT_ONCE):
        numbers = np.arange(start, min(start + _AT_ONCE, total))
        kept, keys = np.concatenate([kept, numbers]), np.concatenate([keys, rng.random(len(numbers))])
        if len(keys) > n:
            smallest = np.argpartition(keys, n - 1)[:n]
            kept, keys = kept[smallest], keys[smallest]
    return np.sort(kept)
