"""Next-token distributions under what is done to a model: KL, perplexity, and how completions read.

Logits are made in chunks of positions, by the model's own head from the states of its last block, and compared slice by
slice of the vocabulary: 2,048 positions of a vocabulary of 128 thousand would take a gigabyte at once.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from graftbench.benchmark.capability.deployment import ContinuedText, Deployment, conversation, on_tokens
from graftbench.benchmark.core.store import Store
from graftbench.benchmark.data.corpora import Text
from graftbench.benchmark.interventions.completions import completions
from graftbench.benchmark.interventions.generation import Completion, Row
from graftbench.benchmark.interventions.hooks import Batch
from graftbench.benchmark.interventions.logits import perplexity
from graftbench.benchmark.metrics.similarity import novelty
from graftbench.benchmark.models.load import Model
from graftbench.benchmark.models.tokens import by_length, pad, token_ids

AT_ONCE, SLICE = 2**23, 16_384  # logits, and words of the vocabulary that are compared, at a time
_READ_TOKENS = 8192  # at a time, padding counted


@dataclass(frozen=True, eq=False)
class States:
    """The states [tokens, d] of a model's last block that predict these tokens."""

    last: Tensor
    predicted: tuple[int, ...]


def states_of(model: Model, doing: Deployment, texts: Sequence[Text], most: int | None = None) -> list[States]:
    """For each text what predicts the tokens that count, under what is done; of each no more than `most` are read.

    FloatingPointError where a state is not finite.
    """
    found: dict[int, States] = {}
    rows = [_readable(model, doing, text, most) for text in texts]
    steps = on_tokens(model, [reading for _, _, reading in rows])
    for batch in by_length([len(ids) for ids, _, _ in rows], _READ_TOKENS):
        these = [rows[i] for i in batch]
        with Batch([steps[i] for i in batch]).on(model.blocks):
            hidden = _last_states(model, [ids[:-1] for ids, _, _ in these])
        for i, (ids, n_before, _), states in zip(batch, these, hidden, strict=True):
            n = len(ids) - n_before
            found[i] = States(states[len(states) - n :], tuple(ids[n_before:]))
    if not all(states.last.isfinite().all() for states in found.values()):
        raise FloatingPointError("its states are not finite")
    return [found[i] for i in range(len(texts))]


def log_likelihoods(model: Model, texts: Sequence[States]) -> Tensor:
    """The log-likelihood of every predicted token of all texts, one after the other, in nats and float64."""
    last = torch.cat([states.last for states in texts])
    said = torch.tensor([token for states in texts for token in states.predicted], device=last.device)
    found: list[Tensor] = []
    for part, tokens in zip(last.split(_chunk(model)), said.split(_chunk(model)), strict=True):
        logits = head(model, part)
        found.append(logits.gather(-1, tokens[:, None])[:, 0].double() - _normaliser(logits))
    return torch.cat(found)


def text_perplexity(model: Model, doing: Deployment, texts: Sequence[Text], most: int | None = None) -> float:
    """The exponential of the mean loss in nats over all tokens that count (Arditi et al., 2024, appendix E)."""
    return float(log_likelihoods(model, states_of(model, doing, texts, most)).mean().neg().exp())


def kl(model: Model, untouched: Sequence[States], changed: Sequence[States]) -> float:
    """The mean over texts of the mean over their tokens of KL(untouched || changed), in nats."""
    p, q = (torch.cat([states.last for states in some]) for some in (untouched, changed))
    pieces = zip(p.split(_chunk(model)), q.split(_chunk(model)), strict=True)
    each = torch.cat([_divergence(head(model, one), head(model, other)) for one, other in pieces])
    by_text = each.split([len(states.last) for states in untouched])
    return float(torch.stack([one.mean() for one in by_text]).mean())


def _chunk(model: Model) -> int:
    """How many positions have their logits made at a time."""
    return max(1, AT_ONCE // int(model.module.config.get_text_config().vocab_size))


def _divergence(p: Tensor, q: Tensor) -> Tensor:
    """KL(p || q) of two sets of logits [positions, vocabulary] for each position, in float64."""
    of_p, of_q = _normaliser(p), _normaliser(q)
    total = torch.zeros_like(of_p)
    for start in range(0, p.shape[-1], SLICE):
        log_p = p[:, start : start + SLICE].double() - of_p[:, None]
        log_q = q[:, start : start + SLICE].double() - of_q[:, None]
        total += (log_p.exp() * (log_p - log_q)).sum(-1)
    return total


def _normaliser(logits: Tensor) -> Tensor:
    """The log of the sum of exponentials [positions], in float64, slice by slice."""
    parts = [logits[:, start : start + SLICE].double().logsumexp(-1) for start in range(0, logits.shape[-1], SLICE)]
    return torch.stack(parts).logsumexp(0)


@torch.inference_mode()
def head(model: Model, states: Tensor) -> Tensor:
    """The logits [positions, vocabulary] that a model makes of the states [positions, d] of its last block, in float32.

    It reads a single token, whose states are exchanged before its own head sees them, whatever that head does.
    """
    one = torch.zeros(1, 1, dtype=torch.long, device=model.device)
    with _last(model, lambda _: states[None]):
        logits: Tensor = model.module(input_ids=one, use_cache=False).logits[0]
    return logits.float()


@torch.inference_mode()
def _last_states(model: Model, ids: Sequence[Sequence[int]]) -> list[Tensor]:
    """The states [tokens, d] of the last block, after its norm, for each row."""
    kept: list[Tensor] = []

    def keep(states: Tensor) -> Tensor:
        kept.append(states)
        return states

    with _last(model, keep):
        model.module(**pad(ids, model), use_cache=False, logits_to_keep=1)
    return [states[len(states) - len(row) :] for states, row in zip(kept[0], ids, strict=True)]


@contextmanager
def _last(model: Model, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Put what `change` makes of the last states in their place, before the model's head."""

    def hook(_: nn.Module, __: Any, output: Any) -> Any:
        return type(output)(**{**output, "last_hidden_state": change(output.last_hidden_state)})

    handle = model.module.base_model.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def _readable(model: Model, doing: Deployment, text: Text, most: int | None) -> tuple[list[int], int, ContinuedText]:
    """The tokens of a text, how many of them do not count, and what is done."""
    tokenizer = model.tokenizer
    if text.prompt is None:
        row = doing.row(doing.plain(text.said), None)
        said, n_text = "", 1  # of the first token nothing stands before
    else:
        history = [{"role": "user", "content": text.prompt}]
        row, said = doing.row(conversation(history, tokenizer, doing.words), history), text.said
        n_text = len(token_ids(row.text.text, tokenizer))
    whole = token_ids(row.text.text + said, tokenizer)
    ids = whole[:most]
    n_read = len(ids) - 1
    counted_from = len(whole) if text.prompt is None else n_text
    return ids, n_text, ContinuedText(row, said, n_read - counted_from, n_read, n_unread=len(whole) - n_read)


@dataclass(frozen=True)
class ReplyCoherence:
    """How completions read: their perplexity under the untouched model, and the share of three words that are new."""

    perplexity: float
    novelty: float


def coherence(
    store: Store, model: Model, doing: Deployment, prompts: Sequence[str], most: int, batch_size: int
) -> ReplyCoherence:
    """How what is said to some prompts reads, under what is done."""
    said = replies(store, model, doing, prompts, most, batch_size)
    asked = [conversation([{"role": "user", "content": p}], model.tokenizer, doing.words) for p in prompts]
    told = [(text, reply.tokens) for text, reply in zip(asked, said, strict=True)]
    return ReplyCoherence(perplexity(model, told), sum(novelty(reply.text) for reply in said) / len(said))


def replies(
    store: Store, model: Model, doing: Deployment, prompts: Sequence[str], most: int, batch_size: int
) -> list[Completion]:
    """What is said to some prompts under what is done."""
    rows: list[Row] = []
    for prompt in prompts:
        history = [{"role": "user", "content": prompt}]
        rows.append(doing.row(conversation(history, model.tokenizer, doing.words), history))
    return completions(store, model, rows, max_new_tokens=most, batch_size=batch_size)
