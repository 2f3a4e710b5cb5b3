"""Log-likelihoods of replies and of continuations under interventions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.interventions.conditions import Row
from graftbench.benchmark.interventions.hooks import Batch
from graftbench.benchmark.interventions.joint_reading import can_read_jointly, joint_likelihoods
from graftbench.benchmark.interventions.logits import (
    PredictingStates,
    Predictions,
    head_states,
    last_states,
    log_likelihoods,
    predictions,
)
from graftbench.benchmark.interventions.operators import Intervention, shifted
from graftbench.benchmark.models.chat import Chat
from graftbench.benchmark.models.kv_cache import cache_for, select_rows
from graftbench.benchmark.models.load import Model
from graftbench.benchmark.models.memory import in_parts
from graftbench.benchmark.models.tokens import batches_by_length, check_embedded, pad, token_ids

_CONTEXT_TOKENS = 4096  # of a batch, padding counted: with more, contexts of unlike lengths are padded to the longest
_REPLY_TOKENS = 4096  # likewise


def reply_states(model: Model, rows: Sequence[Row]) -> list[Tensor]:
    """Return the last block's states [1 + tokens, d] that predict each reply token and what follows the reply.

    The text of each row ends with its reply. UserError where a token holds the end of a prompt and the start of its
    reply.
    """
    ids, starts = _tokens_and_starts(model, [row.text for row in rows])
    return _states_from(model, ids, starts, [row.interventions for row in rows])


def _tokens_and_starts(model: Model, texts: Sequence[Chat]) -> tuple[list[list[int]], list[int]]:
    """Return the tokens of texts that end with a reply, and the number of tokens before it."""
    ids = [token_ids(text.text, model.tokenizer) for text in texts]
    prompts = [token_ids(text.text[: text.spans[-1][0]], model.tokenizer) for text in texts]
    for text, all_ids, prompt in zip(texts, ids, prompts, strict=True):
        if all_ids[: len(prompt)] != prompt:
            raise UserError(
                f"The tokenizer of {model.name} joins the end of a prompt and the beginning of its reply in one token, "
                f"so that the reply has no likelihood of its own: {text.text[-80:]!r}. Begin replies with a space "
                "or a capital, or choose another chat format."
            )
    return ids, [len(prompt) for prompt in prompts]


def mean_reply_likelihoods(model: Model, rows: Sequence[Sequence[Row]]) -> Tensor:
    """Return the mean log-likelihood per token [texts, conditions] of the reply that each text ends with, in nats.

    `rows` has each text under every condition. What texts begin with is read once where the model's class allows it.
    """
    texts = [by_condition[0].text for by_condition in rows]
    ids, starts = _tokens_and_starts(model, texts)
    table = [[row.interventions for row in by_condition] for by_condition in rows]
    if can_read_jointly(model, max(map(len, ids)), table):
        likelihoods = [each for text in joint_likelihoods(model, ids, starts, table) for each in text]
    else:
        likelihoods = _of_replies(model, [row for by_condition in rows for row in by_condition])
    return torch.stack([tokens.double().mean() for tokens in likelihoods]).cpu().view(len(rows), -1)


def reply_likelihoods(model: Model, rows: Sequence[Row]) -> Tensor:
    """Return the log-likelihood [rows] of the reply that each row's text ends with, in nats, in float64."""
    return torch.stack([tokens.sum() for tokens in _of_replies(model, rows)]).cpu()


def _of_replies(model: Model, rows: Sequence[Row]) -> list[Tensor]:
    """Return the log-likelihoods [tokens] of each row's reply."""
    ids = [token_ids(row.text.text, model.tokenizer) for row in rows]
    texts = [
        PredictingStates(states[:-1], tuple(tokens[len(tokens) - len(states) + 1 :]))
        for tokens, states in zip(ids, reply_states(model, rows), strict=True)
    ]
    return list(log_likelihoods(model, texts).split([len(text.predicted) for text in texts]))


def perplexity(model: Model, replies: Sequence[tuple[Chat, Sequence[int]]]) -> float:
    """Return the perplexity per token of replies, given with their prompts as token ids: exp of the mean loss in nats.

    The token that ends a reply counts where it is among the ids.
    """
    return float(torch.cat(_by_token(model, replies)).mean().neg().exp())


def perplexity_of_each(model: Model, replies: Sequence[tuple[Chat, Sequence[int]]]) -> list[float]:
    """Return the perplexity per token of every reply, given and counted as in `perplexity`."""
    return [float(tokens.mean().neg().exp()) for tokens in _by_token(model, replies)]


def _by_token(model: Model, replies: Sequence[tuple[Chat, Sequence[int]]]) -> list[Tensor]:
    """Return the log-likelihoods [tokens] of each reply."""
    prompts = [token_ids(text.text, model.tokenizer) for text, _ in replies]
    ids = [[*prompt, *tokens] for prompt, (_, tokens) in zip(prompts, replies, strict=True)]
    states = _states_from(model, ids, [len(prompt) for prompt in prompts], [()] * len(replies))
    texts = [PredictingStates(row[:-1], tuple(tokens)) for row, (_, tokens) in zip(states, replies, strict=True)]
    return list(log_likelihoods(model, texts).split([len(tokens) for _, tokens in replies]))


def _states_from(
    model: Model,
    ids: Sequence[Sequence[int]],
    starts: Sequence[int],
    interventions: Sequence[Sequence[Intervention]],
) -> list[Tensor]:
    """Return for each row the states [tokens, d] that predict its token number `start`, all later ones and its end."""
    by_row: dict[int, Tensor] = {}
    for batch in batches_by_length([len(row) for row in ids], _REPLY_TOKENS):
        states = last_states(model, [ids[i] for i in batch], [interventions[i] for i in batch])
        by_row |= {i: each[starts[i] - 1 :].clone() for i, each in zip(batch, states, strict=True)}
    return [by_row[i] for i in range(len(ids))]


@dataclass(frozen=True, eq=False)
class ContinuationRow:
    """Tokens to read under some interventions, and the continuation that the last of them are to predict.

    Rows of one `group` have the same context, and the same interventions on it.
    """

    group: str
    ids: Sequence[int]  # all but the last token of the continuation
    predicted: Sequence[int]
    interventions: tuple[Intervention, ...]

    @property
    def n_after(self) -> int:
        """Number of continuation tokens that are read."""
        return len(self.predicted) - 1

    @property
    def context(self) -> Sequence[int]:
        """The tokens before the continuation."""
        return self.ids[: len(self.ids) - self.n_after]


@torch.inference_mode()
def continuation_likelihoods(
    model: Model, rows: Sequence[ContinuationRow], batch_size: int, ended: Callable[[int], None] = lambda _: None
) -> list[tuple[float, bool]]:
    """Return for each row the log-likelihood of its continuation in nats, and whether it is the greedy one.

    The context of a group is read once. `ended` is called with the number of rows that were done since.
    FloatingPointError where a logit is not finite, UserError where a token has no embedding.
    """
    check_embedded(model, (ids for row in rows for ids in (row.ids, row.predicted)))
    groups: dict[str, list[int]] = {}
    for i, row in enumerate(rows):
        groups.setdefault(row.group, []).append(i)
    members = list(groups.values())
    by_row: dict[int, tuple[float, bool]] = {}
    for batch in batches_by_length([len(rows[group[0]].context) for group in members], _CONTEXT_TOKENS, batch_size):
        where = [members[i] for i in batch]
        these = [[rows[i] for i in group] for group in where]
        by_row |= dict(zip([i for group in where for i in group], _of_groups(model, these), strict=True))
        ended(sum(map(len, where)))
    return [by_row[i] for i in range(len(rows))]


def _of_groups(model: Model, groups: Sequence[Sequence[ContinuationRow]]) -> list[tuple[float, bool]]:
    """Return the likelihoods of the rows of some groups, group after group; memory may not hold all at a time."""
    n_tokens = [len(group) * max(len(row.ids) for row in group) for group in groups]
    return in_parts(model, n_tokens, lambda where: _group_likelihoods(model, [groups[i] for i in where]))


def _group_likelihoods(model: Model, groups: Sequence[Sequence[ContinuationRow]]) -> list[tuple[float, bool]]:
    """Return the likelihoods of the rows of some groups, group after group."""
    cache = cache_for(model.module)
    first = [group[0] for group in groups]
    inputs = pad([row.context for row in first], model)
    steered = Batch([shifted(row.interventions, -row.n_after, len(row.context)) for row in first])
    caching = {"past_key_values": cache, "use_cache": True}
    with steered.on(model.blocks):
        before = head_states(model, inputs | caching, lambda states: states[:, -1])
    rows = [row for group in groups for row in group]
    of = [i for i, group in enumerate(groups) for _ in group]
    firsts = predictions(model, before, of, [row.predicted[0] for row in rows])
    longest = max(row.n_after for row in rows)
    later = Predictions(firsts.log_likelihoods[:0], firsts.greedy[:0])
    if longest:
        where = torch.tensor(of, device=model.device)
        select_rows(cache, where)
        after = _states_after(model, rows, inputs["attention_mask"][where], caching, longest)
        later = predictions(model, after, range(len(after)), [t for row in rows for t in row.predicted[1:]])
    return _joined(rows, firsts, later)


def _joined(rows: Sequence[ContinuationRow], firsts: Predictions, later: Predictions) -> list[tuple[float, bool]]:
    """Return the likelihood of each continuation, of its first token and its later ones, row after row."""
    n_after = [row.n_after for row in rows]
    of_firsts = firsts.log_likelihoods.split(1), firsts.greedy.split(1)
    of_later = later.log_likelihoods.split(n_after), later.greedy.split(n_after)
    values, greedy = (
        [torch.cat(each) for each in zip(*sides, strict=True)] for sides in zip(of_firsts, of_later, strict=True)
    )
    return [(float(each.sum()), bool(likeliest.all())) for each, likeliest in zip(values, greedy, strict=True)]


def _states_after(
    model: Model, rows: Sequence[ContinuationRow], mask: Tensor, caching: dict[str, Any], longest: int
) -> Tensor:
    """Return the states [tokens, d] after each continuation token that is read, row after row.

    `mask` [rows, context tokens] belongs to the contexts in the cache.
    """
    ends = [list(row.ids[len(row.context) :]) for row in rows]
    ids = torch.tensor([end + [0] * (longest - len(end)) for end in ends], device=model.device)
    own = torch.tensor([[1] * len(end) + [0] * (longest - len(end)) for end in ends], device=model.device)
    steps = torch.arange(longest, device=model.device)
    with Batch([shifted(row.interventions, longest - row.n_after, longest) for row in rows]).on(model.blocks):
        inputs = {
            "input_ids": ids,
            "attention_mask": torch.cat([mask, own], dim=1),
            "position_ids": mask.sum(-1, keepdim=True) + steps,
        }
        return head_states(model, inputs | caching, lambda states: states[own.bool().to(states.device)])
