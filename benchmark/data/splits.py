"""Splits made by content, and contents that stand in two splits."""

import hashlib
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar, get_args

import numpy as np

from graftbench.benchmark.data.examples import Split

Name = TypeVar("Name", bound=str)  # of a split

# Shares of contents, in percent. Most are asked: each is one bit of a score.
SHARES: Mapping[Split, int] = {"fit": 25, "vector": 15, "validation": 20, "test": 40}


def short_hash(*words: object) -> int:
    """Return a hash of 64 bits."""
    joined = "\x1f".join(map(str, words)).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(joined, digest_size=8).digest(), "big")


def split_of(content: str, seed: int = 0, shares: Mapping[Split, int] = SHARES) -> Split:
    """Return the split of a content, by its hash: splits are disjoint by construction."""
    return split_at(short_hash(seed, "split", content) * 100 >> 64, shares)


def split_at(percent: int, shares: Mapping[Name, int]) -> Name:
    """Return the split in which a percentage (0 to 99) lies, where the splits follow each other by their shares."""
    edge = 0
    for split, share in shares.items():
        edge += share
        if percent < edge:
            return split
    raise ValueError(f"{percent} lies in no split: their shares add up to {edge}")


_NUMBERS: Mapping[str, int] = {split: i for i, split in enumerate(get_args(Split))}  # in two bits
_COMPARED_AT_ONCE = 2**16


def text_key(text: str) -> int:
    """Return a hash of 64 bits whose last two are zero: room for a split."""
    return short_hash(text) & ~3


@dataclass
class Overlaps:
    """Finds texts that stand in two splits. It keeps 8 bytes for each, so that it may see millions."""

    _seen: "array[int]" = field(default_factory=lambda: array("Q"))

    def add(self, split: Split, text: str) -> None:
        """Note that a text stands in a split."""
        self._seen.append(text_key(text) | _NUMBERS[split])

    def found(self) -> set[int]:
        """Return the keys of all texts that stand in more than one split."""
        if not self._seen:
            return set()
        seen = np.frombuffer(self._seen, dtype=np.uint64)  # the same memory, sorted where it is
        seen.sort()
        keys: set[int] = set()
        for start in range(0, len(seen) - 1, _COMPARED_AT_ONCE):
            some = seen[start : start + _COMPARED_AT_ONCE + 1]
            difference = some[1:] ^ some[:-1]
            keys.update(int(each) & ~3 for each in some[1:][(difference > 0) & (difference < 4)])
        return keys
