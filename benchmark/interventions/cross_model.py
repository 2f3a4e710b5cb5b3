"""Replace a model's residual stream by predictions from another model's on the same text.

After each token that the target generates, the source reads the same text. Tokens are aligned by where they end: a
target position without an aligned source token keeps the last prediction before it.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from torch import Tensor

from graftbench.benchmark.activations.incremental import IncrementalReader
from graftbench.benchmark.interventions.operators import Replace
from graftbench.benchmark.models.alignment import align, same_tokenizer, token_ends
from graftbench.benchmark.models.chat import Chat
from graftbench.benchmark.models.handle import ModelHandle
from graftbench.benchmark.models.load import Model
from graftbench.benchmark.models.tokens import token_ids


@dataclass(frozen=True, eq=False)
class Link:
    """A site of the source, a site of the target, and the map `predict` [n, d_source] -> [n, d_target] between them."""

    source_site: int
    site: int
    predict: Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Follow:
    """The source that a row follows, at one site or at several; with `prompt_only` at no generated token."""

    source: ModelHandle
    links: tuple[Link, ...]
    identity: str  # stands for source and predictions in the cache of completions
    prompt_only: bool = False


@contextmanager
def following(
    follow: Follow, target: Model, source_texts: Sequence[Chat], texts: Sequence[Chat]
) -> Iterator["Follower"]:
    """Load the source that some rows of the target follow, for a `with` block."""
    with follow.source.loaded() as source:
        yield Follower(follow, source, target, source_texts, texts)


class Follower:
    """The source's side of one batch: its conversations grow with what the target generates."""

    def __init__(
        self, follow: Follow, source: Model, target: Model, source_texts: Sequence[Chat], texts: Sequence[Chat]
    ) -> None:
        self._follow, self._target = follow, target
        self._source_texts, self._texts = list(source_texts), list(texts)
        self._same_text = same_tokenizer(source, target) and all(
            a.text == b.text for a, b in zip(source_texts, texts, strict=True)
        )
        self._reader = IncrementalReader(source, [link.source_site for link in follow.links])
        self._last: list[tuple[Tensor, ...] | None] = [None] * len(texts)  # predictions [d_target], by link

    def prompt(self) -> list[tuple[Replace, ...]]:
        """Return for each row the replacements at its prompt's positions."""
        return [self._at_prompt(i, states) for i, states in enumerate(self._read(self._source_texts))]

    def step(self, tokens: Sequence[int], replies: Sequence[str]) -> list[tuple[Replace, ...]]:
        """Return for each row the replacements at its newest token. `replies` hold all its tokens so far, as text."""
        if self._follow.prompt_only:
            return [()] * len(tokens)
        if self._same_text:
            longer = [[*row, token] for row, token in zip(self._reader.rows, tokens, strict=True)]
            return [self._at_token(each) for each in self._newest(longer)]
        return self._step_by_text(replies)

    def keep(self, rows: Sequence[int]) -> None:
        """Drop all rows but these."""
        self._source_texts = [self._source_texts[i] for i in rows]
        self._texts = [self._texts[i] for i in rows]
        self._last = [self._last[i] for i in rows]
        self._reader.keep(rows)

    def _at_token(self, predictions: Sequence[Tensor]) -> tuple[Replace, ...]:
        return tuple(Replace(link.site, p, None) for link, p in zip(self._follow.links, predictions, strict=True))

    def _at_prompt(self, i: int, states: Sequence[Tensor]) -> tuple[Replace, ...]:
        """Return the replacements in the prompt of row `i`, from its first aligned token on."""
        source = token_ends(self._source_texts[i], self._follow.source.tokenizer)
        target = token_ends(self._texts[i], self._target.tokenizer)
        pairing = align(source, target)
        if not pairing.target:
            return ()
        predictions = self._predict([each[list(pairing.source)] for each in states])
        self._last[i] = tuple(each[-1] for each in predictions)
        latest = latest_match(pairing.target, len(target))
        where = tuple(range(pairing.target[0] - len(target), 0))
        links = zip(self._follow.links, predictions, strict=True)
        return tuple(Replace(link.site, each[latest], where) for link, each in links)

    def _step_by_text(self, replies: Sequence[str]) -> list[tuple[Replace, ...]]:
        """Return the replacements of models with different tokenizers: the source tokenizes the text so far anew."""
        longer = [text.text + reply for text, reply in zip(self._source_texts, replies, strict=True)]
        tokenized = self._follow.source.tokenizer(longer, add_special_tokens=False, return_offsets_mapping=True)
        replacements: list[tuple[Replace, ...]] = []
        for i, predictions in enumerate(self._newest(tokenized["input_ids"])):
            ends_at = [stop for _, stop in tokenized["offset_mapping"][i][-1:]]
            if replies[i] and ends_at == [len(longer[i])]:  # both models have a token that ends here
                self._last[i] = predictions
            last = self._last[i]
            replacements.append(() if last is None else self._at_token(last))
        return replacements

    def _newest(self, rows: Sequence[list[int]]) -> list[tuple[Tensor, ...]]:
        """Return for each row the predictions [d_target] of each link at its newest token."""
        states = self._reader.last_states(rows)
        return list(zip(*self._predict([states[link.source_site] for link in self._follow.links]), strict=True))

    def _predict(self, states: Sequence[Tensor]) -> list[Tensor]:
        links = zip(self._follow.links, states, strict=True)
        return [link.predict(each).to(self._target.device) for link, each in links]

    def _read(self, texts: Sequence[Chat]) -> list[list[Tensor]]:
        """Return for each text the source's states [tokens, d_source] at the site of each link."""
        rows = [token_ids(text.text, self._follow.source.tokenizer) for text in texts]
        states = self._reader.read(rows, once=self._follow.prompt_only)
        hidden = [states[link.source_site] for link in self._follow.links]
        longest = max(map(len, rows))
        return [[each[i, longest - len(row) :] for each in hidden] for i, row in enumerate(rows)]


def latest_match(matched: Sequence[int], n: int) -> list[int]:
    """Return for each position from the first matched one to `n` the number of the last match at or before it."""
    latest: list[int] = []
    match = -1
    for position in range(matched[0], n):
        if match + 1 < len(matched) and matched[match + 1] == position:
            match += 1
        latest.append(match)
    return latest
