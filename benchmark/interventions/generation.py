"""Greedy decoding of many rows together, each under its own interventions."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from graftbench.benchmark.interventions.conditions import Row
from graftbench.benchmark.interventions.cross_model import Follower
from graftbench.benchmark.interventions.hooks import Batch
from graftbench.benchmark.interventions.logits import at_last_token
from graftbench.benchmark.interventions.operators import Intervention
from graftbench.benchmark.interventions.shared_prompts import can_share, spread_at, unique_prompts
from graftbench.benchmark.models.kv_cache import cache_for, select_rows
from graftbench.benchmark.models.load import Model
from graftbench.benchmark.models.memory import in_parts
from graftbench.benchmark.models.tokens import batches_by_length, check_context, pad, token_ids

BATCH_TOKENS = 65_536  # of prompts, padding counted: a bound on memory, not a setting
_NO_TOKEN = -1  # where a row has generated nothing
_LEAVE = 8  # finished rows are dropped once they are one in n: dropping copies the cache


@dataclass(frozen=True)
class Completion:
    """A greedy reply: its text and tokens, and whether all logits were finite."""

    text: str
    tokens: tuple[int, ...]
    finite: bool


def generate(
    model: Model,
    rows: Sequence[Row],
    *,
    max_new_tokens: int,
    batch_size: int = 256,
    progress: Callable[[int], None] = lambda _: None,
) -> list[Completion]:
    """Return the reply of each row, in order. `progress` is called with the number of rows of each finished batch.

    UserError where a prompt and its reply do not fit into the model's context.
    """
    ids = [token_ids(row.text.text, model.tokenizer) for row in rows]
    check_context(model, ids, max_new_tokens)
    completions: dict[int, Completion] = {}
    for batch in batches_of(ids, batch_size):
        replies = decode(model, [rows[i] for i in batch], [ids[i] for i in batch], max_new_tokens)
        completions |= dict(zip(batch, replies, strict=True))
        progress(len(batch))
    return [completions[i] for i in range(len(rows))]


def decode(
    model: Model,
    rows: Sequence[Row],
    ids: Sequence[Sequence[int]],
    max_new_tokens: int,
    until: Sequence[str] = (),
) -> list[Completion]:
    """Return the replies of one batch of rows with these token ids; a reply ends soon after a string in `until`."""

    def replies(where: Sequence[int]) -> list[Completion]:
        return _Decoding(model, [rows[i] for i in where], [ids[i] for i in where], max_new_tokens, until).run()

    return in_parts(model, [len(row) + max_new_tokens for row in ids], replies)


def batches_of(ids: Sequence[Sequence[int]], batch_size: int) -> list[list[int]]:
    """Return the numbers of the rows of each batch: rows of similar length, whatever their interventions."""
    return list(batches_by_length([len(row) for row in ids], BATCH_TOKENS, batch_size))


def stop_tokens(model: Model) -> set[int]:
    """Return the tokens that end a reply: those of the generation settings, and the tokenizer's own."""
    settings = model.module.generation_config
    stop = settings.eos_token_id if settings is not None else None
    named = stop if isinstance(stop, list) else [stop]
    return {token for token in (*named, model.tokenizer.eos_token_id) if token is not None}


class _Decoding:
    """One batch, from its prompts to the end of its longest reply. Finished rows are dropped on the way."""

    def __init__(
        self,
        model: Model,
        rows: Sequence[Row],
        ids: Sequence[Sequence[int]],
        max_new_tokens: int,
        until: Sequence[str],
    ) -> None:
        self._model, self._rows, self._until = model, rows, until
        self._stop = torch.tensor(sorted(stop_tokens(model)), device=model.device)
        self._tokens = torch.full((len(rows), max_new_tokens), _NO_TOKEN, device=model.device)  # generated
        self._finite = torch.ones(len(rows), dtype=torch.bool, device=model.device)
        self._alive = torch.arange(len(rows), device=model.device)  # numbers of the rows still in the batch
        self._ended = torch.zeros(len(rows), dtype=torch.bool, device=model.device)
        self._ids = ids
        self._inputs = pad(ids, model)
        self._mask = self._inputs["attention_mask"]
        self._cache = cache_for(model.module)
        self._followers = _followers(model, rows)
        self._batch = Batch([row.interventions for row in rows])

    @torch.inference_mode()
    def run(self) -> list[Completion]:
        """Decode until every row has ended or has `max_new_tokens` tokens."""
        self._follow([follower.prompt() for _, follower in self._followers])
        n_steps = self._tokens.shape[1]
        with self._batch.on(self._model.blocks):
            for step in range(n_steps):
                self._next(step)
                self._leave()
                if not len(self._alive) or step == n_steps - 1:
                    break
                self._prepare()
        generated = self._generated(list(range(len(self._rows))))
        return [self._completion(row, finite) for row, finite in zip(generated, self._finite.tolist(), strict=True)]

    def _next(self, step: int) -> None:
        """Run one pass and store the token that it gives each row."""
        with self._sharing_prompts(step), at_last_token(self._model):
            logits = self._model.module(**self._inputs, past_key_values=self._cache, use_cache=True).logits[:, -1]
        self._newest = logits.argmax(-1)
        self._tokens[self._alive, step] = self._newest.masked_fill(self._ended, _NO_TOKEN)
        # A sum is finite where all of its terms are, and far quicker than a look at each.
        self._finite[self._alive] &= logits.sum(-1, dtype=torch.float32).isfinite() | self._ended
        self._ended = self._ended | torch.isin(self._newest, self._stop)
        if self._until:
            self._ended = self._ended | self._have_stopped(step)

    def _have_stopped(self, step: int) -> Tensor:
        """Return for each row of the batch whether a stop string stands at the end of what it generated, [rows]."""
        longest = max(len(stop.encode()) for stop in self._until)  # bytes, and so the most tokens that hold the string
        tail = self._tokens[self._alive, max(0, step - longest - 1) : step + 1].tolist()
        texts = self._model.tokenizer.batch_decode([[token for token in row if token != _NO_TOKEN] for row in tail])
        found = [any(stop in text for stop in self._until) for text in texts]
        return torch.tensor(found, dtype=torch.bool, device=self._model.device)

    def _sharing_prompts(self, step: int) -> AbstractContextManager[None]:
        """Read equal prompts once below the first site with an intervention."""
        if step > 0:
            return nullcontext()
        first, prompt_of = unique_prompts(self._ids)
        site = self._batch.first_site(len(self._model.blocks))
        if not can_share(self._model, site, len(first), len(prompt_of)):
            return nullcontext()
        self._inputs = {name: value[first] for name, value in self._inputs.items()}
        index = torch.tensor(prompt_of, dtype=torch.long, device=self._model.device)
        return spread_at(self._model, site, index, len(first), self._cache)

    def _leave(self) -> None:
        """Drop the finished rows once they are many enough."""
        n_ended = int(self._ended.sum())
        if n_ended == len(self._alive):
            self._alive = self._alive[:0]
        elif n_ended * _LEAVE >= len(self._alive):
            self._keep((~self._ended).nonzero().flatten())

    def _keep(self, going_on: Tensor) -> None:
        """Drop all rows of the batch but these [rows]."""
        select_rows(self._cache, going_on)
        self._mask, self._ended, self._alive = self._mask[going_on], self._ended[going_on], self._alive[going_on]
        self._newest = self._newest[going_on]
        self._batch.keep(going_on.tolist())
        alive = set(self._alive.tolist())
        for where, follower in self._followers:
            still = [i for i, row in enumerate(where) if row in alive]
            follower.keep(still)
            where[:] = [where[i] for i in still]

    def _prepare(self) -> None:
        """Set the inputs of the next pass: the newest token of each row."""
        self._mask = torch.cat([self._mask, self._mask.new_ones(len(self._alive), 1)], dim=1)
        self._inputs = {
            "input_ids": self._newest[:, None],
            "attention_mask": self._mask,
            "position_ids": self._mask.sum(-1, keepdim=True) - 1,
        }
        self._batch.next_token()
        with self._batch.paused():  # the followed model may be this one
            replacements = [self._step(where, follower) for where, follower in self._followers if where]
        self._follow(replacements)

    def _step(self, where: list[int], follower: Follower) -> list[tuple[Intervention, ...]]:
        tokens = self._generated(where)
        replies = self._model.tokenizer.batch_decode(tokens, skip_special_tokens=False)
        return list(follower.step([row[-1] for row in tokens], replies))

    def _generated(self, rows: list[int]) -> list[list[int]]:
        """Return the tokens that some rows have generated so far."""
        return [[token for token in row if token != _NO_TOKEN] for row in self._tokens[rows].tolist()]

    def _follow(self, replacements: Sequence[Sequence[tuple[Intervention, ...]]]) -> None:
        """Give the rows that follow a model their replacements for the next pass, follower by follower."""
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
    """Return a follower for each followed model, with the numbers of its rows."""
    groups: dict[int, list[int]] = {}
    for i, row in enumerate(rows):
        if row.follow is not None:
            groups.setdefault(id(row.follow), []).append(i)
    followers: list[tuple[list[int], Follower]] = []
    for where in groups.values():
        follow = rows[where[0]].follow
        sources = [rows[i].source_text or rows[i].text for i in where]
        assert follow is not None
        followers.append((where, Follower(follow, model, sources, [rows[i].text for i in where])))
    return followers
