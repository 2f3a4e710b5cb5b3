"""Greedy decoding of one batch: no step waits for the device, but for a look now and then at which rows have ended."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext

import torch
from torch import Tensor

from graftbench.benchmark.interventions.conditions import Row
from graftbench.benchmark.interventions.cross_model import Follower, following
from graftbench.benchmark.interventions.first_pass import first_pass, n_steered
from graftbench.benchmark.interventions.hooks import Batch
from graftbench.benchmark.interventions.logits import at_last_token
from graftbench.benchmark.interventions.operators import Replace
from graftbench.benchmark.interventions.replies import Replies
from graftbench.benchmark.interventions.token_inputs import NextInputs, inputs_after
from graftbench.benchmark.models.kv_cache import cache_for, select_rows
from graftbench.benchmark.models.load import Model
from graftbench.benchmark.models.tokens import pad

LOOK_EVERY = 8  # steps: to see whether rows have ended, a GPU has to be waited for
Following = tuple[list[int], Follower]  # with the numbers of its rows
_LEAVE = 8  # finished rows are dropped once they are one in n: dropping copies the cache


def stop_tokens(model: Model) -> set[int]:
    """Return the tokens that end a reply: those of the generation settings, and the tokenizer's own."""
    settings = model.module.generation_config
    stop = settings.eos_token_id if settings is not None else None
    named = stop if isinstance(stop, list) else [stop]
    return {token for token in (*named, model.tokenizer.eos_token_id) if token is not None}


def look_every(device: torch.device) -> int:
    """Return after how many steps finished rows are looked for: on a CPU that costs nothing. No reply depends on it."""
    return 1 if device.type == "cpu" else LOOK_EVERY


class Decoding:
    """One batch, from its prompts to the end of its longest reply. Finished rows are dropped on the way.

    A reply ends with a stop token, or soon after a string in `until`.
    """

    def __init__(
        self,
        model: Model,
        rows: Sequence[Row],
        ids: Sequence[Sequence[int]],
        max_new_tokens: int,
        until: Sequence[str],
        followers: Sequence[Following] = (),
    ) -> None:
        self._model, self._ids, self._until, self._n_steps = model, ids, until, max_new_tokens
        self._n_rows, self._n_steered = len(rows), n_steered(rows)
        self._cache = cache_for(model.module, max_new_tokens)
        self._prompt_inputs = prompts = pad(ids, model)
        self._next: Mapping[str, Tensor | None] = {}
        self._next_inputs: NextInputs = inputs_after(model, prompts["attention_mask"], self._cache, max_new_tokens)
        self._replies = Replies(len(rows), max_new_tokens, stop_tokens(model), model.device)
        self._followers = followers
        sites = {link.site for row in rows if row.follow is not None for link in row.follow.links}
        self._batch = Batch([row.interventions for row in rows], followed=sites)
        self._n_looked_at = 0  # steps

    @torch.inference_mode()
    def run(self) -> tuple[list[list[int]], list[bool]]:
        """Return the tokens of every reply, and whether all logits were finite that they were chosen by."""
        self._follow([follower.prompt() for _, follower in self._followers])
        with self._batch.on(self._model.blocks), at_last_token(self._model):
            for step in range(self._n_steps):
                self._read(step)
                is_due = step == self._n_steps - 1 or (step + 1) % look_every(self._model.device) == 0
                if is_due and self._all_have_ended(step + 1):
                    break
                self._prepare()
        return self._replies.tokens(range(self._n_rows)), self._replies.finite()

    def _read(self, step: int) -> None:
        """Run one pass, and add to each reply the token that it gives."""
        with nullcontext(self._next) if step else self._prompts() as inputs:
            output = self._model.module(**inputs, past_key_values=self._cache, use_cache=True)
        self._replies.add(output.logits[:, -1])

    def _prompts(self) -> AbstractContextManager[Mapping[str, Tensor]]:
        return first_pass(self._model, self._batch, self._ids, self._n_steered, self._prompt_inputs, self._cache)

    def _all_have_ended(self, n_steps: int) -> bool:
        """Return whether nothing is to be generated after so many steps; drop ended rows once they are many enough."""
        if self._until:
            self._replies.end_at(self._until, self._model.tokenizer, range(self._n_looked_at, n_steps))
        self._n_looked_at = n_steps
        if n_steps == self._n_steps:
            return True
        n_ended, n = self._replies.n_ended(), len(self._replies.alive)
        staying = None if n_ended == n else self._staying(n_ended)
        if staying is not None:
            self._keep(staying, staying.tolist())
        return n_ended == n

    def _staying(self, n_ended: int) -> Tensor | None:
        """Return the rows that are to stay, of which not all have ended; None where all are."""
        ended = self._replies.ended
        return (~ended).nonzero().flatten() if n_ended * _LEAVE >= len(ended) else None

    def _keep(self, index: Tensor, stay: list[int]) -> None:
        """Drop all rows of the batch but those in `stay`; `index` has the same on the device."""
        select_rows(self._cache, index)
        self._next_inputs = self._next_inputs.kept(stay, index)
        self._batch.keep(stay, index)
        self._replies.keep(index)
        alive = set(self._replies.alive.tolist()) if self._followers else set()
        for where, follower in self._followers:
            still = [i for i, row in enumerate(where) if row in alive]
            follower.keep(still)
            where[:] = [where[i] for i in still]

    def _prepare(self) -> None:
        """Set the inputs and the interventions of the next pass."""
        self._batch.next_token()
        self._next = self._next_inputs.next(self._replies.newest)
        if self._followers:
            with self._batch.paused():  # the followed model may be this one
                self._follow([self._step(where, follower) for where, follower in self._followers if where])

    def _step(self, where: list[int], follower: Follower) -> list[tuple[Replace, ...]]:
        tokens = self._replies.tokens(where)
        replies = self._model.tokenizer.batch_decode(tokens, skip_special_tokens=False)
        return follower.step([row[-1] for row in tokens], replies)

    def _follow(self, replacements: Sequence[Sequence[tuple[Replace, ...]]]) -> None:
        """Give the rows that follow a model their replacements for the next pass, follower by follower."""
        if self._followers:
            place = {row: i for i, row in enumerate(self._replies.alive.tolist())}
            followed = [[place[row] for row in where] for where, _ in self._followers if where]
            pairs = [zip(places, rows, strict=True) for places, rows in zip(followed, replacements, strict=True)]
            self._batch.follow({p: r for each in pairs for p, r in each})


@contextmanager
def followers_of(model: Model, rows: Sequence[Row]) -> Iterator[list[Following]]:
    """Load the followed models for a `with` block; its value has a follower for each, with the numbers of its rows."""
    groups: dict[int, list[int]] = {}
    for i, row in enumerate(rows):
        if row.follow is not None:
            groups.setdefault(id(row.follow), []).append(i)
    with ExitStack() as stack:
        followers: list[Following] = []
        for where in groups.values():
            follow = rows[where[0]].follow
            sources = [rows[i].source_text or rows[i].text for i in where]
            assert follow is not None
            own = following(follow, model, sources, [rows[i].text for i in where])
            followers.append((where, stack.enter_context(own)))
        yield followers
