"""Replacing a model's residual stream by what a mapper makes of another model's on the same text.

While the target generates, the source reads the same text after each of its tokens. A target position whose
end no source token shares keeps the last prediction that had a partner.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from graftbench.benchmark.activations.incremental import Reader
from graftbench.benchmark.interventions.operators import Replace
from graftbench.benchmark.models.alignment import ends, paired, same_tokens
from graftbench.benchmark.models.chat import Chat
from graftbench.benchmark.models.load import Model
from graftbench.benchmark.models.tokens import token_ids


@dataclass(frozen=True, eq=False)
class Link:
    """What of the source is mapped by `predict` [n, d_source] -> [n, d] to the input of block `site`."""

    source_site: int
    site: int
    predict: Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Follow:
    """Whose residual stream is mapped to that of the model that runs, at one site or at several.

    With `prompt_only` the generated tokens are left alone.
    """

    source: Model
    links: tuple[Link, ...]
    identity: str  # stands for source and predictions where completions are kept
    prompt_only: bool = False


class Follower:
    """The source's side of one batch: rows of conversations that grow with what the target generates."""

    def __init__(self, follow: Follow, target: Model, source_texts: Sequence[Chat], texts: Sequence[Chat]) -> None:
        self._follow, self._target = follow, target
        self._source_texts, self._texts = list(source_texts), list(texts)
        self._same = same_tokens(follow.source, target) and all(
            a.text == b.text for a, b in zip(source_texts, texts, strict=True)
        )
        self._reader = Reader(follow.source, [link.source_site for link in follow.links])
        self._last: list[tuple[Tensor, ...] | None] = [None] * len(texts)  # the newest predictions, by link

    def prompt(self) -> list[tuple[Replace, ...]]:
        """For each row the replacement of its prompt's positions."""
        return [self._row(i, states) for i, states in enumerate(self._read(self._source_texts))]

    def step(self, tokens: Sequence[int], replies: Sequence[str]) -> list[tuple[Replace, ...]]:
        """For each row the replacement at its newest token, when these tokens have made these replies."""
        if self._follow.prompt_only:
            return [()] * len(tokens)
        if self._same:
            longer = [[*row, token] for row, token in zip(self._reader.rows, tokens, strict=True)]
            return [self._everywhere(each) for each in self._newest(longer)]
        return self._reread(replies)

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows alone."""
        self._source_texts = [self._source_texts[i] for i in rows]
        self._texts = [self._texts[i] for i in rows]
        self._last = [self._last[i] for i in rows]
        self._reader.keep(rows)

    def _everywhere(self, predictions: Sequence[Tensor]) -> tuple[Replace, ...]:
        return tuple(Replace(link.site, p, None) for link, p in zip(self._follow.links, predictions, strict=True))

    def _row(self, i: int, states: Sequence[Tensor]) -> tuple[Replace, ...]:
        source = ends(self._source_texts[i], self._follow.source.tokenizer)
        target = ends(self._texts[i], self._target.tokenizer)
        pairing = paired(source, target)
        if not pairing.target:
            return ()
        predictions = self._predict([each[list(pairing.source)] for each in states])
        self._last[i] = tuple(each[-1] for each in predictions)
        held = _held(pairing.target, len(target))
        where = tuple(range(pairing.target[0] - len(target), 0))
        links = zip(self._follow.links, predictions, strict=True)
        return tuple(Replace(link.site, each[held], where) for link, each in links)

    def _reread(self, replies: Sequence[str]) -> list[tuple[Replace, ...]]:
        longer = [text.text + reply for text, reply in zip(self._source_texts, replies, strict=True)]
        read = self._follow.source.tokenizer(longer, add_special_tokens=False, return_offsets_mapping=True)
        found: list[tuple[Replace, ...]] = []
        for i, predictions in enumerate(self._newest(read["input_ids"])):
            ends_at = [stop for _, stop in read["offset_mapping"][i][-1:]]
            if replies[i] and ends_at == [len(longer[i])]:  # both have read as far
                self._last[i] = predictions
            last = self._last[i]
            found.append(() if last is None else self._everywhere(last))
        return found

    def _newest(self, rows: Sequence[list[int]]) -> list[tuple[Tensor, ...]]:
        """For each row the predictions [d_target] of each link at its newest token."""
        states = self._reader.newest(rows)
        return list(zip(*self._predict([states[link.source_site] for link in self._follow.links]), strict=True))

    def _predict(self, states: Sequence[Tensor]) -> list[Tensor]:
        links = zip(self._follow.links, states, strict=True)
        return [link.predict(each).to(self._target.device) for link, each in links]

    def _read(self, texts: Sequence[Chat]) -> list[list[Tensor]]:
        """For each text the source's states [tokens, d_source] of each link, from the beginning."""
        rows = [token_ids(text.text, self._follow.source.tokenizer) for text in texts]
        states = self._reader.read(rows, once=self._follow.prompt_only)
        hidden = [states[link.source_site] for link in self._follow.links]
        longest = max(map(len, rows))
        return [[each[i, longest - len(row) :] for each in hidden] for i, row in enumerate(rows)]


def _held(matched: Sequence[int], n: int) -> list[int]:
    """For each position from the first matched one to `n`, which match is the last at or before it."""
    found: list[int] = []
    match = -1
    for position in range(matched[0], n):
        if match + 1 < len(matched) and matched[match + 1] == position:
            match += 1
        found.append(match)
    return found
