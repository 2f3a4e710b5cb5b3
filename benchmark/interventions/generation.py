"""Greedy decoding of many rows together, each under its own interventions."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from graftbench.benchmark.interventions.cross_model import Follow, Follower
from graftbench.benchmark.interventions.hooks import Batch
from graftbench.benchmark.interventions.operators import Intervention
from graftbench.benchmark.interventions.prefix import alike, as_index, can_be_shared, reading_once
from graftbench.benchmark.models.chat import Chat
from graftbench.benchmark.models.kv_cache import new_cache
from graftbench.benchmark.models.load import Model
from graftbench.benchmark.models.tokens import by_length, pad, token_ids

BATCH_TOKENS = 65_536  # of prompts, padding counted: a bound on memory, not a setting
_NOTHING = -1  # where a row has said nothing
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
    return _Decoding(model, rows, ids, max_new_tokens).run()


def batches_of(ids: Sequence[Sequence[int]], batch_size: int) -> list[list[int]]:
    """Which rows are decoded together: those of like length, whatever is done to them."""
    return list(by_length([len(row) for row in ids], BATCH_TOKENS, batch_size))


def stop_tokens(model: Model) -> set[int]:
    """The tokens that end a reply."""
    settings = model.module.generation_config
    stop = settings.eos_token_id if settings is not None else None
    stop = model.tokenizer.eos_token_id if stop is None else stop
    return set(stop) if isinstance(stop, list) else {stop}


class _Decoding:
    """One batch, from its prompts to the end of its longest reply. Rows that are finished leave."""

    def __init__(self, model: Model, rows: Sequence[Row], ids: Sequence[Sequence[int]], max_new_tokens: int) -> None:
        self._model, self._rows = model, rows
        self._stop = torch.tensor(sorted(stop_tokens(model)), device=model.device)
        self._said = torch.full((len(rows), max_new_tokens), _NOTHING, device=model.device)
        self._finite = torch.ones(len(rows), dtype=torch.bool, device=model.device)
        self._alive = torch.arange(len(rows), device=model.device)  # row numbers, in the order of the batch
        self._ended = torch.zeros(len(rows), dtype=torch.bool, device=model.device)
        self._ids = ids
        self._inputs = pad(ids, model)
        self._mask = self._inputs["attention_mask"]
        self._cache = new_cache(model)
        self._followers = _followers(model, rows)
        self._batch = Batch([row.interventions for row in rows])

    @torch.inference_mode()
    def run(self) -> list[Completion]:
        """Decode until every row has ended or has said all it may."""
        self._follow([follower.prompt() for _, follower in self._followers])
        n_steps = self._said.shape[1]
        with self._batch.on(self._model.blocks):
            for step in range(n_steps):
                self._next(step)
                self._leave()
                if not len(self._alive) or step == n_steps - 1:
                    break
                self._prepare()
        said = [[token for token in row if token != _NOTHING] for row in self._said.tolist()]
        return [self._completion(tokens, finite) for tokens, finite in zip(said, self._finite.tolist(), strict=True)]

    def _next(self, step: int) -> None:
        """One pass, and the token that it gives each row."""
        with self._reading(step):
            logits = self._model.module(
                **self._inputs, past_key_values=self._cache, use_cache=True, logits_to_keep=1
            ).logits[:, -1]
        self._newest = logits.argmax(-1)
        self._said[self._alive, step] = self._newest.masked_fill(self._ended, _NOTHING)
        # A sum is finite where all of its terms are; it is far quicker than to look at each.
        self._finite[self._alive] &= logits.sum(-1, dtype=torch.float32).isfinite() | self._ended
        self._ended = self._ended | torch.isin(self._newest, self._stop)

    def _reading(self, step: int) -> AbstractContextManager[None]:
        """Prompts that are alike are read once as far as they stay so."""
        if step > 0:
            return nullcontext()
        first, of = alike(self._ids)
        site = self._batch.first_site(len(self._model.blocks))
        if not can_be_shared(self._model, site, len(first), len(of)):
            return nullcontext()
        self._inputs = {name: value[first] for name, value in self._inputs.items()}
        return reading_once(self._model, site, as_index(of, self._model.device), len(first), self._cache)

    def _leave(self) -> None:
        """Take the finished rows out of the batch, when they are many enough."""
        n_ended = int(self._ended.sum())
        if n_ended == len(self._alive):
            self._alive = self._alive[:0]
        elif n_ended * _LEAVE >= len(self._alive):
            self._keep((~self._ended).nonzero().flatten())

    def _keep(self, kept: Tensor) -> None:
        self._cache.batch_select_indices(kept)
        self._mask, self._ended, self._alive = self._mask[kept], self._ended[kept], self._alive[kept]
        self._newest = self._newest[kept]
        self._batch.keep(kept.tolist())
        alive = set(self._alive.tolist())
        for where, follower in self._followers:
            still = [i for i, row in enumerate(where) if row in alive]
            follower.keep(still)
            where[:] = [where[i] for i in still]

    def _prepare(self) -> None:
        """What the next pass reads: the newest token of each row."""
        self._mask = torch.cat([self._mask, self._mask.new_ones(len(self._alive), 1)], dim=1)
        self._inputs = {
            "input_ids": self._newest[:, None],
            "attention_mask": self._mask,
            "position_ids": self._mask.sum(-1, keepdim=True) - 1,
        }
        self._batch.next_token()
        with self._batch.paused():  # the model that is followed may be this one
            replacements = [self._step(where, follower) for where, follower in self._followers if where]
        self._follow(replacements)

    def _step(self, where: list[int], follower: Follower) -> list[tuple[Intervention, ...]]:
        tokens = [[token for token in row if token != _NOTHING] for row in self._said[where].tolist()]
        replies = self._model.tokenizer.batch_decode(tokens, skip_special_tokens=False)
        return list(follower.step([row[-1] for row in tokens], replies))

    def _follow(self, replacements: Sequence[Sequence[tuple[Intervention, ...]]]) -> None:
        followed = [where for where, _ in self._followers if where]
        place = {row: i for i, row in enumerate(self._alive.tolist())} if followed else {}
        for where, rows in zip(followed, replacements, strict=True):
            places = [place[row] for row in where]
            own = [self._rows[row].interventions for row in where]
            self._batch.put({p: (*o, *r) for p, o, r in zip(places, own, rows, strict=True)})

    def _completion(self, tokens: list[int], finite: bool) -> Completion:
        text = self._model.tokenizer.decode(tokens, skip_special_tokens=True)
        assert isinstance(text, str)
        return Completion(text, tuple(tokens), finite)


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
