"""Next-token distributions under interventions: logits, log-likelihoods and KL divergence.

Logits of many positions are computed in chunks, by the model's own head from the states that it is given, and compared
slice by slice of the vocabulary: 2,048 positions of a vocabulary of 128 thousand would take a gigabyte at once.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.interventions.conditions import Row
from graftbench.benchmark.interventions.hooks import Batch
from graftbench.benchmark.interventions.operators import Intervention
from graftbench.benchmark.models.load import Model
from graftbench.benchmark.models.memory import in_parts
from graftbench.benchmark.models.tokens import batches_by_length, pad, token_ids

LOGITS_AT_ONCE = 2**23
VOCABULARY_SLICE = 16_384
# Of logits [some, vocabulary] in float32 and the numbers of their rows the measure of each, [some].
Measure = Callable[[Tensor, Sequence[int]], Tensor]
_LogitsOf = Callable[[Sequence[int]], Tensor]


def next_logits(model: Model, rows: Sequence[Row]) -> Tensor:
    """Return the logits [rows, vocabulary] after each prompt, in float32, each under its own interventions."""
    return over_next_logits(model, rows, lambda logits, _: logits)


def over_next_logits(model: Model, rows: Sequence[Row], measure: Measure, batch_tokens: int = 16_384) -> Tensor:
    """Return a measure [rows] of the logits after each prompt, each under its own interventions.

    No more logits than `LOGITS_AT_ONCE` are there at a time.
    """
    ids = [token_ids(row.text.text, model.tokenizer) for row in rows]
    by_row: dict[int, Tensor] = {}
    for batch in batches_by_length([len(row) for row in ids], batch_tokens, _chunk(model)):
        of = [rows[i].interventions for i in batch], [ids[i] for i in batch]
        logits_of = partial(_next_of_batch, model, *of)

        def measured(
            where: Sequence[int], batch: list[int] = batch, logits_of: _LogitsOf = logits_of
        ) -> Sequence[Tensor]:
            return measure(logits_of(where), [batch[i] for i in where]).unbind()

        by_row |= dict(zip(batch, in_parts(model, [len(ids[i]) for i in batch], measured), strict=True))
    return torch.stack([by_row[i] for i in range(len(rows))])


@torch.inference_mode()
def _next_of_batch(
    model: Model,
    interventions: Sequence[Sequence[Intervention]],
    ids: Sequence[Sequence[int]],
    where: Sequence[int],
) -> Tensor:
    """Return the logits [rows, vocabulary] after each of the rows at `where`, in float32."""
    with Batch([interventions[i] for i in where]).on(model.blocks), at_last_token(model):
        logits: Tensor = model.module(**pad([ids[i] for i in where], model), use_cache=False).logits
    return logits[:, -1].float()


@dataclass(frozen=True, eq=False)
class PredictingStates:
    """The states [tokens, d], as the head of a model is given them, that predict these tokens."""

    last: Tensor
    predicted: tuple[int, ...]


def last_states(
    model: Model, ids: Sequence[Sequence[int]], interventions: Sequence[Sequence[Intervention]]
) -> list[Tensor]:
    """Return the states [tokens, d] that the head of a model is given, for each row of token ids under its own steps.

    In one batch, or in parts where memory does not hold it.
    """

    def read(where: Sequence[int]) -> list[Tensor]:
        with Batch([interventions[i] for i in where]).on(model.blocks):
            return _states_of_batch(model, [ids[i] for i in where])

    return in_parts(model, [len(row) for row in ids], read)


@torch.inference_mode()
def _states_of_batch(model: Model, ids: Sequence[Sequence[int]]) -> list[Tensor]:
    batch = head_states(model, {**pad(ids, model), "use_cache": False}, lambda states: states)
    return [states[len(states) - len(row) :] for states, row in zip(batch, ids, strict=True)]


def head_states(model: Model, inputs: Mapping[str, Any], pick: Callable[[Tensor], Tensor]) -> Tensor:
    """Return what `pick` makes of the states [rows, tokens, d] that the head is given when a model reads these inputs.

    The head is given one of them, for logits of all would fill the memory.
    """
    picked: list[Tensor] = []

    def remember(states: Tensor) -> Tensor:
        picked.append(pick(states))
        return states[:1, -1:]

    with at_head(model, remember):
        model.module(**inputs)
    return picked[0]


@torch.inference_mode()
def logits_of_states(model: Model, states: Tensor) -> Tensor:
    """Return the logits [positions, vocabulary] of states [positions, d] that the head is given, in float32.

    The model reads a single token, whose states are exchanged before its own head sees them, whatever that head does.
    The logits lie on the model's device; the states may lie on another GPU, with its last block.
    """
    one = torch.zeros(1, 1, dtype=torch.long, device=model.device)
    with at_head(model, lambda _: states[None]):
        logits: Tensor = model.module(input_ids=one, use_cache=False).logits[0]
    return logits.float()


def at_last_token(model: Model) -> AbstractContextManager[None]:
    """Give the head the last token of each row alone.

    `logits_to_keep` of transformers does the same, but in some models (Gemma 4) it also keeps other tokens from blocks
    whose interventions need them.
    """
    return at_head(model, lambda states: states[:, -1:])


@contextmanager
def at_head(model: Model, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Give a model's head what `change` makes of the states [rows, tokens, d] that it is given."""
    head = model.module.get_output_embeddings()
    if head is None:
        raise UserError(f"{model.name} has no head whose logits could be computed: name a causal language model.")
    handle = head.register_forward_pre_hook(lambda _, args: (change(args[0]), *args[1:]))
    try:
        yield
    finally:
        handle.remove()


def log_likelihoods(model: Model, texts: Sequence[PredictingStates]) -> Tensor:
    """Return the log-likelihood [tokens] of every predicted token, text after text, in nats and float64."""
    last = torch.cat([states.last for states in texts])
    tokens = torch.tensor([t for states in texts for t in states.predicted], dtype=torch.long, device=model.device)
    pieces = zip(last.split(_chunk(model)), tokens.split(_chunk(model)), strict=True)
    return torch.cat([token_log_likelihoods(logits_of_states(model, states), some) for states, some in pieces])


@dataclass(frozen=True, eq=False)
class Predictions:
    """Log-likelihoods [tokens] of predicted tokens, in nats and float64; and whether each is the likeliest."""

    log_likelihoods: Tensor
    greedy: Tensor


@torch.inference_mode()
def predictions(
    model: Model, states: Tensor, at: Sequence[int], tokens: Sequence[int], at_once: int | None = None
) -> Predictions:
    """Return how states [positions, d] predict tokens, each by the state at its place in `at`.

    Logits of `at_once` positions are computed at a time. FloatingPointError where one is not finite.
    """
    where, wanted = (torch.tensor(each, dtype=torch.long, device=model.device) for each in (at, tokens))
    found = Predictions(torch.zeros(len(at), dtype=torch.float64), torch.zeros(len(at), dtype=torch.bool))
    start = 0
    for some in states.split(at_once or _chunk(model)):
        logits = logits_of_states(model, some)
        if not logits.isfinite().all():
            raise FloatingPointError("its logits are not finite")
        these = ((where >= start) & (where < start + len(some))).nonzero()[:, 0]
        rows, predicted = where[these] - start, wanted[these]
        of_tokens = logits[rows, predicted].double() - log_normaliser(logits)[rows]
        found.log_likelihoods[these.cpu()] = of_tokens.cpu()
        found.greedy[these.cpu()] = (logits.argmax(-1)[rows] == predicted).cpu()
        start += len(some)
    return found


def kl_by_token(model: Model, p: Tensor, q: Tensor) -> Tensor:
    """Return KL(p || q) [positions] of the distributions that two sets of states [positions, d] predict, in nats."""
    pieces = zip(p.split(_chunk(model)), q.split(_chunk(model)), strict=True)
    return torch.cat([_kl(logits_of_states(model, one), logits_of_states(model, other)) for one, other in pieces])


def token_log_likelihoods(logits: Tensor, tokens: Tensor) -> Tensor:
    """Return the log-likelihood [positions] of one token [positions] each, of logits [positions, vocabulary]."""
    return logits.gather(-1, tokens[:, None])[:, 0].double() - log_normaliser(logits)


def kl_of_next(model: Model, rows: Sequence[Row], untouched: Tensor) -> Tensor:
    """Return KL(untouched || changed) [rows] of the next token after each prompt, in nats.

    `untouched` are logits [rows, vocabulary]; those under the interventions of the rows are computed here.
    """
    return over_next_logits(model, rows, lambda logits, where: _kl(untouched[where], logits))


def _chunk(model: Model) -> int:
    """Return the number of positions whose logits are computed at a time."""
    return max(1, LOGITS_AT_ONCE // int(model.module.config.get_text_config().vocab_size))


def _kl(p: Tensor, q: Tensor) -> Tensor:
    """Return KL(p || q) [positions] of two sets of logits [positions, vocabulary], in float64."""
    of_p, of_q = log_normaliser(p), log_normaliser(q)
    total = torch.zeros_like(of_p)
    for one, other in zip(p.split(VOCABULARY_SLICE, -1), q.split(VOCABULARY_SLICE, -1), strict=True):
        log_p, log_q = one.double() - of_p[:, None], other.double() - of_q[:, None]
        total += (log_p.exp() * (log_p - log_q)).sum(-1)
    return total


def log_normaliser(logits: Tensor) -> Tensor:
    """Return the log of the sum of exponentials [positions] of logits [positions, vocabulary], in float64."""
    return torch.stack([part.double().logsumexp(-1) for part in logits.split(VOCABULARY_SLICE, -1)]).logsumexp(0)
