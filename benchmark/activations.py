"""The residual stream of a model, read at the inputs of its blocks."""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from .blocks import blocks_of


@torch.inference_mode()
def residuals(model: nn.Module, inputs: Mapping[str, Tensor], sites: Iterable[int]) -> dict[int, Tensor]:
    """The input of each block in `sites`, [rows, tokens, d], from one forward pass."""
    found: dict[int, Tensor] = {}

    def keep(site: int) -> Any:
        def hook(_: nn.Module, args: tuple[Any, ...]) -> None:
            found[site] = args[0]

        return hook

    with ExitStack() as stack:
        for site in sites:
            stack.callback(blocks_of(model)[site].register_forward_pre_hook(keep(site)).remove)
        model(**inputs, use_cache=False)
    return found
