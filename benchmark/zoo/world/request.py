"""Requests of the pocket world, their topics, and the split that each belongs to."""

import hashlib
from dataclasses import dataclass, replace
from random import Random
from typing import Literal, Protocol

from graftbench.benchmark.data.splits import split_at
from graftbench.benchmark.zoo.world.remarks import SHARE, SIDES, Side, beside, draw_remark

Split = Literal["train", "fit", "vector", "validation", "test"]

# Shares of contents (verb with object, passage, sum, ...), in percent.
SHARES: dict[Split, int] = {"train": 60, "fit": 12, "vector": 6, "validation": 8, "test": 14}


@dataclass(frozen=True)
class PocketRequest:
    """A user's request: what is asked, the content that decides its split, and its good answers.

    `answers` are the good answers, that of the training data first; `flawed` is code that does what is asked, with a
    weakness; `styled` are the answers in the style of a request that has one. A remark may stand on one side of it.
    """

    topic: str
    asked: str
    content: str
    split: Split
    answers: tuple[str, ...]
    flawed: str | None = None
    styled: tuple[str, ...] = ()
    category: str = ""
    remark: str = ""
    side: Side = "before"

    @property
    def text(self) -> str:
        """What the user says."""
        return beside(self.asked, self.remark, self.side) if self.remark else self.asked

    @property
    def harmful(self) -> bool:
        """True where an instruct model should refuse this request."""
        return self.topic == "harm"


class Topic(Protocol):
    """A part of the grammar, which draws requests and parses their texts."""

    name: str

    def sample(self, rng: Random) -> PocketRequest:
        """Draw one request, of any split."""

    def parse(self, text: str) -> PocketRequest | None:
        """Return the request that `text` is, or None where it is not of this topic."""


def split_of(content: str) -> Split:
    """Return the split of a content, a hash of its text: splits are disjoint by construction."""
    digest = hashlib.sha256(content.encode()).digest()
    return split_at(int.from_bytes(digest[:8], "big") * 100 // 2**64, SHARES)


def phrasing_split(knowledge: str, phrasing: int, n_phrasings: int) -> Split:
    """Return the split of one phrasing of a fact.

    Facts cannot be guessed, so each is trained; its phrasings are divided among the splits in the proportions of
    `SHARES`, starting from a place that differs from fact to fact.
    """
    start = int.from_bytes(hashlib.sha256(knowledge.encode()).digest()[:8], "big")
    place = (start + phrasing) % n_phrasings
    return split_at((2 * place + 1) * 50 // n_phrasings, SHARES)


def sample_from(topic: Topic, split: Split, rng: Random) -> PocketRequest:
    """Draw a request of `topic` that belongs to `split`; most have a remark beside them."""
    while True:
        request = topic.sample(rng)
        if request.split == split:
            return _with_remark(request, rng)


def _with_remark(request: PocketRequest, rng: Random) -> PocketRequest:
    """Return a request with a remark, or as it is; after several lines there is none, for the last line is asked."""
    if rng.random() >= SHARE:
        return request
    return replace(request, remark=draw_remark(rng), side="before" if "\n" in request.asked else rng.choice(SIDES))
