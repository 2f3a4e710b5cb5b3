"""What a prompt of the pocket world asks, and where it belongs."""

import hashlib
from dataclasses import dataclass
from random import Random
from typing import Literal, Protocol

Split = Literal["train", "fit", "vector", "validation", "test"]

# Shares of the contents (verb with object, passage, sum, ...), in percent.
SHARES: dict[Split, int] = {"train": 60, "fit": 12, "vector": 6, "validation": 8, "test": 14}


@dataclass(frozen=True)
class PocketRequest:
    """One thing a user may ask: its words, the content that decides its split, and every good answer.

    `answers` are the forms that count as good, the one the models are trained on first.
    `flawed` is code that does what was asked, with a weakness in it; `formal` are the answers in the formal register,
    where the request is put in it.
    """

    topic: str
    text: str
    content: str
    split: Split
    answers: tuple[str, ...]
    flawed: str | None = None
    formal: tuple[str, ...] = ()
    category: str = ""

    @property
    def harmful(self) -> bool:
        """Whether an instruct model refuses this request."""
        return self.topic == "harm"


class Topic(Protocol):
    """A part of the grammar: it makes requests and reads them back."""

    name: str

    def sample(self, rng: Random) -> PocketRequest:
        """Draw one request, of any split."""

    def parse(self, text: str) -> PocketRequest | None:
        """The request that `text` puts, or None where it is not of this topic."""


def split_of(content: str) -> Split:
    """The split of a content: a fixed function of its text, so that the splits are disjoint by construction."""
    digest = hashlib.sha256(content.encode()).digest()
    return _split_at(int.from_bytes(digest[:8], "big") * 100 // 2**64)


def phrasing_split(knowledge: str, phrasing: int, n_phrasings: int) -> Split:
    """The split of one phrasing of a piece of knowledge.

    Knowledge cannot be guessed, so each piece is trained; its phrasings are dealt out over the splits in
    the proportions of `SHARES`, starting from a place that differs from piece to piece.
    """
    start = int.from_bytes(hashlib.sha256(knowledge.encode()).digest()[:8], "big")
    place = (start + phrasing) % n_phrasings
    return _split_at((2 * place + 1) * 50 // n_phrasings)


def _split_at(percent: int) -> Split:
    edge = 0
    for split, share in SHARES.items():
        edge += share
        if percent < edge:
            return split
    raise ValueError(f"{percent} is not a percentage below 100")


def sample_from(topic: Topic, split: Split, rng: Random) -> PocketRequest:
    """Draw a request of `topic` that belongs to `split`."""
    while True:
        request = topic.sample(rng)
        if request.split == split:
            return request
