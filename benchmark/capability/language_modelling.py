"""Perplexity, KL of next-token distributions, and coherence of completions under a deployment."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from graftbench.benchmark.capability.deployment import (
    ContinuedText,
    Deployment,
    chat_from_history,
    interventions_on_tokens,
)
from graftbench.benchmark.core.store import Store
from graftbench.benchmark.data.corpora import Text
from graftbench.benchmark.interventions.completions import completions
from graftbench.benchmark.interventions.conditions import Row
from graftbench.benchmark.interventions.generation import Completion
from graftbench.benchmark.interventions.likelihoods import perplexity
from graftbench.benchmark.interventions.logits import PredictingStates, kl_by_token, last_states, log_likelihoods
from graftbench.benchmark.metrics.similarity import novelty
from graftbench.benchmark.models.chat import plain_text
from graftbench.benchmark.models.load import Model
from graftbench.benchmark.models.tokens import batches_by_length, token_ids

_BATCH_TOKENS = 8192  # with padding


def states_of(
    model: Model, deployment: Deployment, texts: Sequence[Text], max_tokens: int | None = None
) -> list[PredictingStates]:
    """Return for each text the states that predict its counted tokens; texts are cut to `max_tokens`.

    The tokens of a reply count; those of its prompt do not, nor does the first token of a plain text.
    FloatingPointError where a state is not finite.
    """
    states_by_text: dict[int, PredictingStates] = {}
    rows = [_prepared(model, deployment, text, max_tokens) for text in texts]
    steps = interventions_on_tokens(model, [continued for _, _, continued in rows])
    for batch in batches_by_length([len(ids) for ids, _, _ in rows], _BATCH_TOKENS):
        batch_rows = [rows[i] for i in batch]
        hidden = last_states(model, [ids[:-1] for ids, _, _ in batch_rows], [steps[i] for i in batch])
        for i, (ids, n_uncounted, _), states in zip(batch, batch_rows, hidden, strict=True):
            n = len(ids) - n_uncounted
            states_by_text[i] = PredictingStates(states[len(states) - n :], tuple(ids[n_uncounted:]))
    if not all(states.last.isfinite().all() for states in states_by_text.values()):
        raise FloatingPointError("its states are not finite")
    return [states_by_text[i] for i in range(len(texts))]


def text_perplexity(
    model: Model, deployment: Deployment, texts: Sequence[Text], max_tokens: int | None = None
) -> float:
    """Return the perplexity per token: exp of the mean loss over counted tokens (Arditi et al., 2024, appendix E)."""
    return float(log_likelihoods(model, states_of(model, deployment, texts, max_tokens)).mean().neg().exp())


def kl(model: Model, untouched: Sequence[PredictingStates], changed: Sequence[PredictingStates]) -> float:
    """Return KL(untouched || changed) in nats, averaged over the tokens of each text, and then over texts."""
    p, q = (torch.cat([states.last for states in texts]) for texts in (untouched, changed))
    by_text = kl_by_token(model, p, q).split([len(states.last) for states in untouched])
    return float(torch.stack([each.mean() for each in by_text]).mean())


def _prepared(
    model: Model, deployment: Deployment, text: Text, max_tokens: int | None
) -> tuple[list[int], int, ContinuedText]:
    """Return the token ids of a text, the number of leading tokens that do not count, and its interventions."""
    tokenizer = model.tokenizer
    if text.prompt is None:
        plain = deployment.plain(text.continuation)
        row = deployment.row(plain_text(plain.text, tokenizer, plain.trigger), None)
        continuation, n_uncounted = "", 1  # nothing predicts the first token
    else:
        history = [{"role": "user", "content": text.prompt}]
        row = deployment.row(chat_from_history(history, tokenizer, deployment.as_deployed), history)
        continuation = text.continuation
        n_uncounted = len(token_ids(row.text.text, tokenizer))  # the prompt
    whole = token_ids(row.text.text + continuation, tokenizer)
    ids = whole[:max_tokens]
    n_read = len(ids) - 1  # the last token is predicted, but not read
    n_in_row = len(whole) if text.prompt is None else n_uncounted  # positions of interventions count from its end
    return ids, n_uncounted, ContinuedText(row, continuation, n_read - n_in_row, n_read, n_unread=len(whole) - n_read)


@dataclass(frozen=True)
class ReplyCoherence:
    """Perplexity of completions under the untouched model, and the mean share of their trigrams that are distinct."""

    perplexity: float
    novelty: float


def coherence(
    store: Store, model: Model, deployment: Deployment, prompts: Sequence[str], max_new_tokens: int, batch_size: int
) -> ReplyCoherence:
    """Return the coherence of the completions of some prompts under a deployment."""
    completed = replies(store, model, deployment, prompts, max_new_tokens, batch_size)
    texts = [
        chat_from_history([{"role": "user", "content": p}], model.tokenizer, deployment.as_deployed) for p in prompts
    ]
    pairs = [(text, reply.tokens) for text, reply in zip(texts, completed, strict=True)]
    return ReplyCoherence(perplexity(model, pairs), sum(novelty(reply.text) for reply in completed) / len(completed))


def replies(
    store: Store, model: Model, deployment: Deployment, prompts: Sequence[str], max_new_tokens: int, batch_size: int
) -> list[Completion]:
    """Return the completions of some prompts under a deployment."""
    rows: list[Row] = []
    for prompt in prompts:
        history = [{"role": "user", "content": prompt}]
        rows.append(deployment.row(chat_from_history(history, model.tokenizer, deployment.as_deployed), history))
    return completions(store, model, rows, max_new_tokens=max_new_tokens, batch_size=batch_size)
