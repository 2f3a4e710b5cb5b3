"""Prompts that are alike are read once, up to the first block where something is done to one of them.

All conditions of an experiment ask the same prompts, and differ from a site on: below it there is one reading for all
of them, which is a fifth of the time of decoding.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from graftbench.benchmark.models.architectures import is_known
from graftbench.benchmark.models.load import Model


@contextmanager
def reading_once(model: Model, site: int, of: Tensor, n: int, cache: DynamicCache) -> Iterator[None]:
    """For the time of a `with` block a batch of `n` prompts becomes one of rows at block `site`.

    Row i is prompt `of[i]`. What was cached below the site is spread over the rows in the end. Hooks that are put on
    the same blocks come after.
    """

    def spread(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(spread(each) for each in value)
        batched = isinstance(value, Tensor) and value.dim() > 1 and value.shape[0] == n
        return value[of] if batched else value

    def hook(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return spread(args), {name: spread(value) for name, value in kwargs.items()}

    with ExitStack() as stack:
        for block in list(model.blocks.modules)[site:]:
            stack.callback(block.register_forward_pre_hook(hook, prepend=True, with_kwargs=True).remove)
        yield
    for layer in cache.layers[:site]:
        assert isinstance(layer, DynamicLayer)  # as all layers of new_cache are
        layer.batch_select_indices(of)


def alike(ids: Sequence[Sequence[int]]) -> tuple[list[int], list[int]]:
    """Which rows are the first of their prompt, and for each row the number of its prompt among them."""
    first: dict[tuple[int, ...], int] = {}
    for i, row in enumerate(ids):
        first.setdefault(tuple(row), i)
    number = {i: k for k, i in enumerate(first.values())}
    return list(first.values()), [number[first[tuple(row)]] for row in ids]


def can_be_shared(model: Model, site: int, n_prompts: int, n_rows: int) -> bool:
    """Whether it is known what the blocks of a model are given, and whether anything is saved."""
    # With one prompt, what is for all cannot be told from what is its.
    return is_known(model.module) and site > 0 and 1 < n_prompts < n_rows


def as_index(of: Sequence[int], device: torch.device) -> Tensor:
    """Row numbers as a tensor."""
    return torch.tensor(of, dtype=torch.long, device=device)
