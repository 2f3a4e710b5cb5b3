"""Replies to several prompts under several conditions, read in one pass over the tree of their tokens.

The tree is one row for the blocks below the first intervention, and from there on one for each condition. A token sees
those before it in its own texts alone, by a mask, so that what prompts begin with, a prompt, and what its replies begin
with are read once for each condition.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn

from graftbench.benchmark.interventions.hooks import Batch
from graftbench.benchmark.interventions.logits import head_states, predictions
from graftbench.benchmark.interventions.operators import Add, Intervention, Replace
from graftbench.benchmark.interventions.token_tree import NO_PARENT, Placed, TokenTree, on_tree, tree_of
from graftbench.benchmark.models.architectures import input_states, may_skip_reading, with_input_states
from graftbench.benchmark.models.load import Model
from graftbench.benchmark.models.memory import in_parts
from graftbench.benchmark.models.tokens import check_embedded

_NODES = 512  # of a tree: attention over more takes longer than reading what they share
_LOGITS = 2**27  # of a pass, which are computed in pieces
_LOGITS_AT_ONCE = 2**25  # of a piece: the model reads a token for each, so that many take long
_STATES = 2**14  # tokens of a pass, over all conditions: likewise
_TOGETHER = 4  # conditions that are read at once, at the least: those of one pass share what lies below them
_Table = Sequence[Sequence[Sequence[Intervention]]]  # [texts][conditions]


def can_read_jointly(model: Model, longest: int, table: _Table) -> bool:
    """Return whether texts of at most so many tokens can be read as a tree by a model under these interventions."""
    config = model.module.config.get_text_config()
    window = getattr(config, "sliding_window", None) or longest  # a mask of our own has no window
    return may_skip_reading(model.module) and longest <= window and _are_placed(table)


def _are_placed(table: _Table) -> TypeGuard[Sequence[Sequence[Sequence[Placed]]]]:
    return all(isinstance(step, Add | Replace) for by_text in table for steps in by_text for step in steps)


@torch.inference_mode()
def joint_likelihoods(
    model: Model, texts: Sequence[Sequence[int]], starts: Sequence[int], table: _Table
) -> list[list[Tensor]]:
    """Return the log-likelihoods [tokens] of each text [texts][conditions] from token number `start` on, in nats.

    They are float64. UserError where a token has no embedding.
    """
    assert _are_placed(table)
    check_embedded(model, texts)
    vocabulary = int(model.module.config.get_text_config().vocab_size)
    most, n_conditions = _LOGITS // vocabulary, len(table[0])  # predicted tokens of a pass, over all conditions
    found: list[list[Tensor]] = []
    for some in _batches(texts, starts, most // min(n_conditions, _TOGETHER)):
        tree = tree_of([texts[i] for i in some], [table[i] for i in some])
        steps = [on_tree(tree, [table[i][c] for i in some]) for c in range(n_conditions)]
        n_predicted = sum(len(texts[i]) - starts[i] for i in some)
        at_once = max(1, min(most // n_predicted, _STATES // len(tree.tokens)))
        by_condition = [
            each
            for first in range(0, n_conditions, at_once)
            for each in _in_parts(model, tree, [starts[i] for i in some], steps[first : first + at_once])
        ]
        found += [[each[text] for each in by_condition] for text in range(len(some))]
    return found


def _in_parts(
    model: Model, tree: TokenTree, starts: Sequence[int], conditions: Sequence[Sequence[Intervention]]
) -> list[tuple[Tensor, ...]]:
    """Return the log-likelihoods of `_read` as [conditions][texts], of as many conditions at a time as memory holds."""

    def read(where: Sequence[int]) -> list[tuple[Tensor, ...]]:
        return list(zip(*_read(model, tree, starts, [conditions[i] for i in where]), strict=True))

    return in_parts(model, [len(tree.tokens)] * len(conditions), read)


def _batches(texts: Sequence[Sequence[int]], starts: Sequence[int], most: int) -> Iterator[list[int]]:
    """Yield the texts of each tree, by index, with at most so many predicted tokens; a longer text is alone."""
    batch: list[int] = []
    nodes = predicted = 0
    for i, (text, start) in enumerate(zip(texts, starts, strict=True)):
        same = _common(texts[batch[-1]], text) if batch else 0
        nodes, predicted = nodes + len(text) - same, predicted + len(text) - start
        if batch and (nodes > _NODES or predicted > most):
            yield batch
            batch, nodes, predicted = [], len(text), len(text) - start
        batch.append(i)
    if batch:
        yield batch


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _read(
    model: Model, tree: TokenTree, starts: Sequence[int], conditions: Sequence[Sequence[Intervention]]
) -> list[list[Tensor]]:
    """Return the log-likelihoods [texts][conditions] of the nodes of each text from its start on."""
    replies = [path[start:] for path, start in zip(tree.texts, starts, strict=True)]
    nodes = sorted({node for reply in replies for node in reply})
    predicting = sorted({tree.parents[node] for node in nodes})
    if NO_PARENT in predicting:
        raise ValueError("nothing comes before a text that is to be predicted")
    rows = {node: i for i, node in enumerate(predicting)}
    steered = Batch(conditions)
    site = steered.first_site(len(model.blocks))
    inputs = {**_inputs(model, tree), "use_cache": False}
    with steered.on(model.blocks), _spread(model, site, len(conditions)):
        states = head_states(model, inputs, lambda states: states[:, predicting])
    at = [c * len(predicting) + rows[tree.parents[node]] for c in range(len(conditions)) for node in nodes]
    tokens = [tree.tokens[node] for node in nodes] * len(conditions)
    at_once = max(1, _LOGITS_AT_ONCE // int(model.module.config.get_text_config().vocab_size))
    by_node = predictions(model, states.flatten(0, 1), at, tokens, at_once).log_likelihoods.view(len(conditions), -1)
    column = {node: i for i, node in enumerate(nodes)}
    return [list(by_node[:, [column[node] for node in reply]]) for reply in replies]


def _inputs(model: Model, tree: TokenTree) -> dict[str, Tensor]:
    """Return the tree as one row of inputs, with its mask [1, 1, nodes, nodes] as numbers that attention adds."""
    lowest = torch.finfo(model.module.dtype).min
    mask = torch.zeros(len(tree.tokens), len(tree.tokens), dtype=model.module.dtype)
    mask.masked_fill_(~tree.visible(), lowest)
    inputs = {
        "input_ids": torch.tensor([tree.tokens]),
        "attention_mask": mask[None, None],
        "position_ids": torch.tensor([tree.depths()]),
    }
    return {name: tensor.to(model.device) for name, tensor in inputs.items()}


@contextmanager
def _spread(model: Model, site: int, n: int) -> Iterator[None]:
    """Turn one row into `n` equal ones at block `site`; what all rows share keeps its single row."""

    def hook(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return with_input_states(args, kwargs, input_states(args, kwargs).expand(n, -1, -1))

    handle = model.blocks[site].register_forward_pre_hook(hook, prepend=True, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()
