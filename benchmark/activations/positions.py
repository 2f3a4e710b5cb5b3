"""The residual stream at named positions of texts, as contrasts between texts need it."""

from collections.abc import Sequence

import torch
from torch import Tensor

from graftbench.benchmark.activations.capture import capture_rows
from graftbench.benchmark.models.chat import Chat
from graftbench.benchmark.models.load import Model
from graftbench.benchmark.models.tokens import positions_of, token_ids


def states_at(model: Model, texts: Sequence[Chat], site: int, positions: str | int) -> Tensor:
    """Return the residual stream [texts, positions, d] at the named positions of each text, in float64.

    Positions are paired from the right: texts with fewer positions than the longest have zeros at the left.
    ValueError for `all`, which is no list of positions.
    """
    where = [positions_of(positions, text, model.tokenizer) for text in texts]
    if any(w is None for w in where):
        raise ValueError("`all` positions have no states of their own; name positions of the prompt")
    named = [w for w in where if w is not None]
    states = torch.zeros(len(texts), max(map(len, named)), model.d, dtype=torch.float64)
    rows = [token_ids(text.text, model.tokenizer) for text in texts]
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
