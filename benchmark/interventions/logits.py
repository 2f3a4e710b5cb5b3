"""Next-token distributions under interventions."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import DynamicCache

from graftbench.benchmark.interventions.generation import Row
from graftbench.benchmark.interventions.hooks import Batch
from graftbench.benchmark.interventions.operators import Intervention, moved
from graftbench.benchmark.models.chat import Chat
from graftbench.benchmark.models.kv_cache import new_cache
from graftbench.benchmark.models.load import Model
from graftbench.benchmark.models.tokens import by_length, pad, token_ids

_READ_TOKENS = 16_384  # of prompts, padding counted: a bound on memory, not a setting


@torch.inference_mode()
def next_logits(model: Model, rows: Sequence[Row], batch_tokens: int = 16_384) -> Tensor:
    """The logits [rows, vocabulary] after each prompt, in float32, each under its own interventions."""
    ids = [token_ids(row.text.text, model.tokenizer) for row in rows]
    found: dict[int, Tensor] = {}
    for batch in by_length([len(row) for row in ids], batch_tokens):
        with Batch([rows[i].interventions for i in batch]).on(model.blocks):
            logits = model.module(**pad([ids[i] for i in batch], model), use_cache=False, logits_to_keep=1).logits
        found |= dict(zip(batch, logits[:, -1].float(), strict=True))
    return torch.stack([found[i] for i in range(len(rows))])


def reply_logits(model: Model, rows: Sequence[Row], *, onwards: bool = False) -> list[Tensor]:
    """For each row, whose text ends with a reply, the logits [tokens, vocabulary] that predict each token of it.

    With `onwards` those of what comes after it, too. ValueError where the reply's first token holds something of what
    stands before it.
    """
    ids = [token_ids(row.text.text, model.tokenizer) for row in rows]
    before = [token_ids(row.text.text[: row.text.spans[-1][0]], model.tokenizer) for row in rows]
    for row, whole, start in zip(rows, ids, before, strict=True):
        if whole[: len(start)] != start:
            raise ValueError(f"the reply of {row.text.text!r} does not begin with a token of its own")
    found = _logits_from(model, ids, [len(start) for start in before], [row.interventions for row in rows])
    return found if onwards else [logits[:-1] for logits in found]


def reply_likelihoods(model: Model, rows: Sequence[Row]) -> Tensor:
    """For each row, whose text ends with a reply, the log-likelihood of that reply in nats, in float64."""
    ids = [token_ids(row.text.text, model.tokenizer) for row in rows]
    found = [
        _likelihoods(logits, tokens[len(tokens) - len(logits) :]).sum()
        for tokens, logits in zip(ids, reply_logits(model, rows), strict=True)
    ]
    return torch.stack(found).cpu()


def perplexity(model: Model, said: Sequence[tuple[Chat, Sequence[int]]]) -> float:
    """The perplexity per token, the end among them, of what was said to some prompts: exp of the mean loss in nats."""
    prompts = [token_ids(text.text, model.tokenizer) for text, _ in said]
    ids = [[*prompt, *tokens] for prompt, (_, tokens) in zip(prompts, said, strict=True)]
    logits = _logits_from(model, ids, [len(prompt) for prompt in prompts], [()] * len(said))
    each = [_likelihoods(row[:-1], tokens) for row, (_, tokens) in zip(logits, said, strict=True)]
    return float(torch.cat(each).mean().neg().exp())


@torch.inference_mode()
def _logits_from(
    model: Model,
    ids: Sequence[Sequence[int]],
    starts: Sequence[int],
    interventions: Sequence[tuple[Intervention, ...]],
    batch_tokens: int = 4096,
) -> list[Tensor]:
    """For each row the logits that predict its token number `start`, each one after it, and what comes at its end."""
    found: dict[int, Tensor] = {}
    for batch in by_length([len(row) for row in ids], batch_tokens):
        with Batch([interventions[i] for i in batch]).on(model.blocks):
            logits = model.module(**pad([ids[i] for i in batch], model), use_cache=False).logits
        for i, states in zip(batch, logits, strict=True):
            found[i] = states[len(states) - len(ids[i]) + starts[i] - 1 :].float()
    return [found[i] for i in range(len(ids))]


@dataclass(frozen=True, eq=False)
class ContinuationRow:
    """Tokens that are read under some interventions, and the continuation that the last of them are to predict.

    Rows of one `group` have the same tokens before their continuations, and the same is done there.
    """

    group: str
    ids: Sequence[int]  # all but the last token of the continuation
    predicted: Sequence[int]
    interventions: tuple[Intervention, ...]

    @property
    def n_after(self) -> int:
        """How many tokens of the continuation are read."""
        return len(self.predicted) - 1

    @property
    def context(self) -> Sequence[int]:
        """The tokens before the continuation."""
        return self.ids[: len(self.ids) - self.n_after]


@torch.inference_mode()
def continuation_likelihoods(
    model: Model, rows: Sequence[ContinuationRow], batch_size: int
) -> list[tuple[float, bool]]:
    """For each row the log-likelihood in nats of what it predicts, and whether each token of it is the likeliest.

    What stands before several continuations is read once. FloatingPointError where a logit is not finite.
    """
    groups: dict[str, list[int]] = {}
    for i, row in enumerate(rows):
        groups.setdefault(row.group, []).append(i)
    members = list(groups.values())
    found: dict[int, tuple[float, bool]] = {}
    for batch in by_length([len(rows[group[0]].context) for group in members], _READ_TOKENS, batch_size):
        where = [members[i] for i in batch]
        these = [[rows[i] for i in group] for group in where]
        found |= dict(zip([i for group in where for i in group], _continued(model, these), strict=True))
    return [found[i] for i in range(len(rows))]


def _continued(model: Model, groups: Sequence[Sequence[ContinuationRow]]) -> list[tuple[float, bool]]:
    """The likelihoods of the rows of some groups, in turn."""
    cache = new_cache(model)
    first = [group[0] for group in groups]
    inputs = pad([row.context for row in first], model)
    with Batch([moved(row.interventions, -row.n_after, len(row.context)) for row in first]).on(model.blocks):
        before = model.module(**inputs, past_key_values=cache, use_cache=True, logits_to_keep=1).logits
    rows = [row for group in groups for row in group]
    of = torch.tensor([i for i, group in enumerate(groups) for _ in group], device=model.device)
    logits, longest = before[of], max(row.n_after for row in rows)
    if longest:
        cache.batch_select_indices(of)
        logits = torch.cat([logits, _read_on(model, rows, inputs["attention_mask"][of], cache, longest)], dim=1)
    return [_verdict(row, states[: len(row.predicted)].float()) for row, states in zip(rows, logits, strict=True)]


def _read_on(model: Model, rows: Sequence[ContinuationRow], mask: Tensor, cache: DynamicCache, longest: int) -> Tensor:
    """The logits [rows, longest, vocabulary] after each token of the continuations, padded on the right."""
    ends = [list(row.ids[len(row.context) :]) for row in rows]
    ids = torch.tensor([end + [0] * (longest - len(end)) for end in ends], device=model.device)
    own = torch.tensor([[1] * len(end) + [0] * (longest - len(end)) for end in ends], device=model.device)
    steps = torch.arange(longest, device=model.device)
    with Batch([moved(row.interventions, longest - row.n_after, longest) for row in rows]).on(model.blocks):
        logits: Tensor = model.module(
            input_ids=ids,
            attention_mask=torch.cat([mask, own], dim=1),
            position_ids=mask.sum(-1, keepdim=True) + steps,
            past_key_values=cache,
            use_cache=True,
        ).logits
    return logits


def _verdict(row: ContinuationRow, logits: Tensor) -> tuple[float, bool]:
    if not logits.isfinite().all():
        raise FloatingPointError("its logits are not finite")
    likeliest = logits.argmax(-1).tolist() == list(row.predicted)
    return float(_likelihoods(logits, row.predicted).sum()), likeliest


def _likelihoods(logits: Tensor, tokens: Sequence[int]) -> Tensor:
    """The log-likelihood of each token [tokens], in float64."""
    said = torch.tensor(tokens, dtype=torch.long, device=logits.device)
    return logits.double().log_softmax(-1).gather(-1, said[:, None])[:, 0]


def mean_kl(p_logits: Tensor, q_logits: Tensor) -> float:
    """Mean over rows of KL(p || q) of two sets of logits [rows, vocabulary], in nats."""
    p, q = (logits.double().log_softmax(-1) for logits in (p_logits, q_logits))
    return float((p.exp() * (p - q)).sum(-1).mean())
