"""Replacing a model's residual stream by what a mapper makes of another model's on the same text.

While the target generates, the source reads the same text after each of its tokens. A target position whose
end no source token shares keeps the last prediction that had a partner.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import DynamicCache

from .activations import residuals
from .alignment import ends, paired
from .caches import new_cache
from .interventions import Replace
from .models import Model
from .tokens import Chat, pad, token_ids


@dataclass(frozen=True, eq=False)
class Follow:
    """Whose residual stream at which site is mapped by `predict` [n, d_source] -> [n, d] to the input of block `site`.

    With `prompt_only` the generated tokens are left alone.
    """

    source: Model
    source_site: int
    site: int
    predict: Callable[[Tensor], Tensor]
    identity: str  # stands for source and prediction where completions are kept
    prompt_only: bool = False


class Follower:
    """The source's side of one batch: rows of conversations that grow with what the target generates."""

    def __init__(self, follow: Follow, target: Model, source_texts: Sequence[Chat], texts: Sequence[Chat]) -> None:
        self._follow, self._target = follow, target
        self._source_texts, self._texts = list(source_texts), list(texts)
        self._same = same_tokens(follow.source, target) and all(
            a.text == b.text for a, b in zip(source_texts, texts, strict=True)
        )
        self._cache: DynamicCache | None = None
        self._mask = torch.empty(0)
        self._last: list[Tensor | None] = [None] * len(texts)

    def prompt(self) -> list[tuple[Replace, ...]]:
        """For each row the replacement of its prompt's positions."""
        return [self._row(i, states) for i, states in enumerate(self._read(self._source_texts))]

    def step(self, tokens: Sequence[int], replies: Sequence[str]) -> list[tuple[Replace, ...]]:
        """For each row the replacement at its newest token, when these tokens have made these replies."""
        if self._follow.prompt_only:
            return [()] * len(tokens)
        if self._same:
            predictions = self._predict(self._read_on(tokens))
            return [(Replace(self._follow.site, p, None),) for p in predictions]
        return self._reread(replies)

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows alone."""
        self._source_texts = [self._source_texts[i] for i in rows]
        self._texts = [self._texts[i] for i in rows]
        self._last = [self._last[i] for i in rows]
        if self._cache is not None:
            index = torch.tensor(rows, dtype=torch.long, device=self._mask.device)  # of none, when all have ended
            self._cache.batch_select_indices(index)
            self._mask = self._mask[index]

    def _row(self, i: int, states: Tensor) -> tuple[Replace, ...]:
        source = ends(self._source_texts[i], self._follow.source.tokenizer)
        target = ends(self._texts[i], self._target.tokenizer)
        pairing = paired(source, target)
        if not pairing.target:
            return ()
        predictions = self._predict(states[list(pairing.source)])
        self._last[i] = predictions[-1]
        held = _held(pairing.target, len(target))
        first = pairing.target[0]
        return (Replace(self._follow.site, predictions[held], tuple(range(first - len(target), 0))),)

    def _reread(self, replies: Sequence[str]) -> list[tuple[Replace, ...]]:
        longer = [text.with_reply(reply) for text, reply in zip(self._source_texts, replies, strict=True)]
        found: list[tuple[Replace, ...]] = []
        for i, states in enumerate(self._read(longer)):
            source = ends(longer[i], self._follow.source.tokenizer)
            end = (2 * len(longer[i].spans) - 1, len(replies[i]), 0)
            if end in source:
                self._last[i] = self._predict(states[source.index(end)][None])[0]
            last = self._last[i]
            found.append(() if last is None else (Replace(self._follow.site, last, None),))
        return found

    def _predict(self, states: Tensor) -> Tensor:
        return self._follow.predict(states).to(self._target.device)

    def _read(self, texts: Sequence[Chat]) -> list[Tensor]:
        """For each text the source's states [tokens, d_source], from the beginning."""
        source = self._follow.source
        rows = [token_ids(text.text, source.tokenizer) for text in texts]
        inputs = pad(rows, source)
        if self._same:
            self._cache, self._mask = new_cache(source), inputs["attention_mask"]
        site = self._follow.source_site
        hidden = residuals(source, inputs, [site], self._cache)[site]
        return [states[len(states) - len(row) :] for states, row in zip(hidden, rows, strict=True)]

    def _read_on(self, tokens: Sequence[int]) -> Tensor:
        """The source's states [rows, d_source] at one more token of each row."""
        assert self._cache is not None
        source = self._follow.source
        self._mask = torch.cat([self._mask, self._mask.new_ones(len(tokens), 1)], dim=1)
        inputs = {
            "input_ids": torch.tensor(tokens, device=source.device)[:, None],
            "attention_mask": self._mask,
            "position_ids": self._mask.sum(-1, keepdim=True) - 1,
        }
        site = self._follow.source_site
        return residuals(source, inputs, [site], self._cache)[site][:, -1]


def same_tokens(a: Model, b: Model) -> bool:
    """Whether two models have the same tokenizer."""
    return a.tokenizer.backend_tokenizer.to_str() == b.tokenizer.backend_tokenizer.to_str()


def _held(matched: Sequence[int], n: int) -> list[int]:
    """For each position from the first matched one to `n`, which match is the last at or before it."""
    found: list[int] = []
    match = -1
    for position in range(matched[0], n):
        if match + 1 < len(matched) and matched[match + 1] == position:
            match += 1
        found.append(match)
    return found
