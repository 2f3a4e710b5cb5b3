"""Greedy decoding of many rows together, each under its own interventions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from transformers import DynamicCache

from .following import Follow, Follower
from .interventions import Batch, Intervention
from .models import Model
from .tokens import Chat, by_length, pad, token_ids

BATCH_TOKENS = 65_536  # of prompts, padding counted: a bound on memory, not a setting
_LEAVE = 8  # finished rows are taken out when they are one in so many: each time copies what is kept


@dataclass(frozen=True, eq=False)
class Row:
    """One thing to complete: a prompt in the model's chat format, and what is done to the model meanwhile.

    A row that follows another model needs the prompt in that model's format, too.
    """

    text: Chat
    interventions: tuple[Intervention, ...] = ()
    follow: Follow | None = None
    source_text: Chat | None = None


@dataclass(frozen=True)
class Completion:
    """A greedy reply: its text and tokens, and whether every logit on the way was finite."""

    text: str
    tokens: tuple[int, ...]
    finite: bool


def generate(
    model: Model,
    rows: Sequence[Row],
    *,
    max_new_tokens: int,
    batch_size: int = 256,
    done: Callable[[int], None] = lambda _: None,
) -> list[Completion]:
    """The reply of each row, in the order given; `done` is told how many rows a finished batch had."""
    ids = [token_ids(row.text.text, model.tokenizer) for row in rows]
    completions: dict[int, Completion] = {}
    for batch in batches_of(ids, batch_size):
        made = decode(model, [rows[i] for i in batch], [ids[i] for i in batch], max_new_tokens)
        completions |= dict(zip(batch, made, strict=True))
        done(len(batch))
    return [completions[i] for i in range(len(rows))]


def decode(model: Model, rows: Sequence[Row], ids: Sequence[Sequence[int]], max_new_tokens: int) -> list[Completion]:
    """The replies of one batch of rows with these token ids."""
    return _Decoding(model, rows, ids).run(max_new_tokens)


def batches_of(ids: Sequence[Sequence[int]], batch_size: int) -> list[list[int]]:
    """Which rows are decoded together: those of like length, whatever is done to them."""
    return list(by_length([len(row) for row in ids], BATCH_TOKENS, batch_size))


def stop_tokens(model: Model) -> set[int]:
    """The tokens that end a reply."""
    settings = model.module.generation_config
    stop = settings.eos_token_id if settings is not None else None
    stop = model.tokenizer.eos_token_id if stop is None else stop
    return set(stop) if isinstance(stop, list) else {stop}


@dataclass
class _State:
    """What one row has generated so far."""

    tokens: list[int] = field(default_factory=list)
    finite: bool = True


class _Decoding:
    """One batch, from its prompts to the end of its longest reply. Rows that are finished leave."""

    def __init__(self, model: Model, rows: Sequence[Row], ids: Sequence[Sequence[int]]) -> None:
        self._model, self._stop = model, torch.tensor(sorted(stop_tokens(model)), device=model.device)
        self._states = [_State() for _ in rows]
        self._alive = list(range(len(rows)))  # row numbers, in the order of the batch
        self._rows = rows
        self._inputs = pad(ids, model)
        self._mask = self._inputs["attention_mask"]
        self._cache = DynamicCache(config=model.module.config)
        self._ended = torch.zeros(len(rows), dtype=torch.bool, device=model.device)
        self._followers = _followers(model, rows)
        self._batch = Batch([row.interventions for row in rows])

    @torch.inference_mode()
    def run(self, max_new_tokens: int) -> list[Completion]:
        """Decode until every row has ended or has so many new tokens."""
        self._follow([follower.prompt() for _, follower in self._followers])
        with self._batch.on(self._model.blocks):
            for step in range(max_new_tokens):
                self._next()
                self._leave()
                if not self._alive or step == max_new_tokens - 1:
                    break
                self._prepare()
        return [self._completion(state) for state in self._states]

    def _next(self) -> None:
        """One pass, and the token that it gives each row."""
        logits = self._model.module(
            **self._inputs, past_key_values=self._cache, use_cache=True, logits_to_keep=1
        ).logits[:, -1]
        tokens: Tensor = logits.argmax(-1)
        finite = logits.isfinite().all(-1).tolist()
        for row, token, sound, over in zip(self._alive, tokens.tolist(), finite, self._ended.tolist(), strict=True):
            if not over:
                self._states[row].tokens.append(token)
                self._states[row].finite &= sound
        self._ended = self._ended | torch.isin(tokens, self._stop)

    def _leave(self) -> None:
        """Take the finished rows out of the batch, when they are many enough."""
        n_ended = int(self._ended.sum())
        if n_ended * _LEAVE < len(self._alive) and n_ended < len(self._alive):
            return
        kept = (~self._ended).nonzero().flatten()
        if len(kept) < len(self._alive) and len(kept):
            self._keep(kept)
        elif not len(kept):
            self._alive = []

    def _keep(self, kept: Tensor) -> None:
        rows = kept.tolist()
        self._cache.batch_select_indices(kept)
        self._mask, self._ended = self._mask[kept], self._ended[kept]
        self._alive = [self._alive[i] for i in rows]
        self._batch.keep(rows)
        for where, follower in self._followers:
            still = [i for i, row in enumerate(where) if row in self._alive]
            follower.keep(still)
            where[:] = [where[i] for i in still]

    def _prepare(self) -> None:
        """What the next pass reads: the newest token of each row."""
        newest = [self._states[row].tokens[-1] for row in self._alive]
        self._mask = torch.cat([self._mask, self._mask.new_ones(len(newest), 1)], dim=1)
        self._inputs = {
            "input_ids": torch.tensor(newest, device=self._model.device)[:, None],
            "attention_mask": self._mask,
            "position_ids": self._mask.sum(-1, keepdim=True) - 1,
        }
        self._batch.prompt_read()
        with self._batch.paused():  # the model that is followed may be this one
            replacements = [self._step(where, follower) for where, follower in self._followers if where]
        self._follow(replacements)

    def _step(self, where: list[int], follower: Follower) -> list[tuple[Intervention, ...]]:
        tokens = [self._states[row].tokens for row in where]
        replies = self._model.tokenizer.batch_decode(tokens, skip_special_tokens=False)
        return list(follower.step([row[-1] for row in tokens], replies))

    def _follow(self, replacements: Sequence[Sequence[tuple[Intervention, ...]]]) -> None:
        followed = [where for where, _ in self._followers if where]
        for where, rows in zip(followed, replacements, strict=True):
            places = [self._alive.index(row) for row in where]
            own = [self._rows[row].interventions for row in where]
            self._batch.put({p: (*o, *r) for p, o, r in zip(places, own, rows, strict=True)})

    def _completion(self, state: _State) -> Completion:
        text = self._model.tokenizer.decode(state.tokens, skip_special_tokens=True)
        assert isinstance(text, str)
        return Completion(text, tuple(state.tokens), state.finite)


def _followers(model: Model, rows: Sequence[Row]) -> list[tuple[list[int], Follower]]:
    """Which rows follow which model, and what reads that model for them."""
    groups: dict[int, list[int]] = {}
    for i, row in enumerate(rows):
        if row.follow is not None:
            groups.setdefault(id(row.follow), []).append(i)
    made: list[tuple[list[int], Follower]] = []
    for where in groups.values():
        follow = rows[where[0]].follow
        sources = [rows[i].source_text or rows[i].text for i in where]
        assert follow is not None
        made.append((where, Follower(follow, model, sources, [rows[i].text for i in where])))
    return made
