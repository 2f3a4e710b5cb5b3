"""The residual stream of a model, captured at the inputs of its blocks."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

import torch
from torch import Tensor
from transformers import Cache

from graftbench.benchmark.models.architectures import input_states
from graftbench.benchmark.models.chat import Chat
from graftbench.benchmark.models.load import Model
from graftbench.benchmark.models.memory import in_parts
from graftbench.benchmark.models.tokens import (
    Ids,
    TokenRows,
    batches_by_length,
    check_context,
    pad,
    positions_of,
    token_ids,
)


class _ReachedError(Exception):
    """Raised by a hook at the last site wanted, so that the blocks above it are not run."""


@torch.inference_mode()
def residuals(
    model: Model, inputs: Mapping[str, Tensor], sites: Collection[int], past_key_values: Cache | None = None
) -> dict[int, Tensor]:
    """Return the input [rows, tokens, d] of each block in `sites`, from one forward pass that ends at the last of them.

    `inputs` are those of `pad`, [rows, tokens] each. A KV cache in `past_key_values` is used, and extended.
    """
    states: dict[int, Tensor] = {}
    last = max(sites)

    def hook_at(site: int) -> Any:
        def hook(_: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            states[site] = input_states(args, kwargs)
            if site == last:
                raise _ReachedError

        return hook

    with ExitStack() as stack:
        for site in sites:
            handle = model.blocks[site].register_forward_pre_hook(hook_at(site), with_kwargs=True)
            stack.callback(handle.remove)
        try:
            model.module(**inputs, past_key_values=past_key_values, use_cache=past_key_values is not None)
        except _ReachedError:
            return states
    raise AssertionError("the last site was not reached")


def capture_rows(model: Model, rows: TokenRows, site: int, batch_tokens: int = 16_384) -> Iterator[tuple[int, Tensor]]:
    """Yield for each row of token ids its index and its residual stream [tokens, d] at a site, shortest rows first.

    At most `batch_tokens` tokens are in memory at a time, however many rows there are.
    """
    lengths = [len(rows[i]) for i in range(len(rows))]
    for batch in batches_by_length(lengths, batch_tokens):
        ids = [rows[i] for i in batch]
        hidden = in_parts(model, [len(row) for row in ids], partial(_read, model, ids, site))
        for i, states in zip(batch, hidden, strict=True):
            yield i, states[len(states) - lengths[i] :]


def _read(model: Model, ids: Sequence[Ids], site: int, where: Sequence[int]) -> Sequence[Tensor]:
    """Return the residual stream [tokens, d] at a site of the rows of token ids at `where`, padded on the left."""
    return residuals(model, pad([ids[i] for i in where], model), [site])[site].unbind()


def states_at(model: Model, texts: Sequence[Chat], site: int, positions: str | int) -> Tensor:
    """Return the residual stream [texts, positions, d] at the named positions of each text, in float64.

    Positions are paired from the right: texts with fewer positions than the longest have zeros at the left.
    UserError where a text is longer than the model's context; ValueError for `all`, which is no list of positions.
    """
    where = [positions_of(positions, text, model.tokenizer) for text in texts]
    if any(w is None for w in where):
        raise ValueError("`all` positions have no states of their own; name positions of the prompt")
    named = [w for w in where if w is not None]
    states = torch.zeros(len(texts), max(map(len, named)), model.d, dtype=torch.float64)
    rows = [token_ids(text.text, model.tokenizer) for text in texts]
    check_context(model, rows)
    for i, row in capture_rows(model, rows, site):
        picked = row[[len(row) + p for p in named[i]]]
        states[i, states.shape[1] - len(picked) :] = picked.double().cpu()
    return states


def states_over(model: Model, texts: Sequence[tuple[Chat, Chat]], site: int, n: int) -> Tensor:
    """Return the residual stream [texts, 1 + n, d] at the last token of each text and at the next `n`, in float64.

    The second of each pair continues the first. Rows past its end are zero.
    """
    states = torch.zeros(len(texts), 1 + n, model.d, dtype=torch.float64)
    last = [len(token_ids(text.text, model.tokenizer)) - 1 for text, _ in texts]
    rows = [token_ids(longer.text, model.tokenizer) for _, longer in texts]
    for i, row in capture_rows(model, rows, site):
        picked = row[last[i] : last[i] + 1 + n]
        states[i, : len(picked)] = picked.double().cpu()
    return states


def token_states(model: Model, texts: Sequence[Chat], site: int) -> Tensor:
    """Return the residual stream [tokens, d] at every token of some texts, shortest texts first, in float64."""
    rows = [token_ids(text.text, model.tokenizer) for text in texts]
    return torch.cat([states.double() for _, states in capture_rows(model, rows, site)])
