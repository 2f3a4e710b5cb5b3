"""Adding vectors to the residual stream and ablating directions from it, as context managers.

Hooks replace what passes through and never write into it, and they come off however the block is left.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn

from .blocks import blocks_of, stream, with_stream


@contextmanager
def adding(model: nn.Module, site: int, addition: Tensor) -> Iterator[None]:
    """Add `addition` [rows, tokens, d] to the input of block `site` while a prompt of that many tokens is read.

    The first pass alone is changed: with a key-value cache the tokens generated later see the prompt as it
    was changed, and get nothing added themselves. ValueError where the first pass has another shape.
    """
    pending = [addition]

    def hook(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]] | None:
        if not pending:
            return None
        hidden, changes = args[0], pending.pop()
        if hidden.shape != changes.shape:
            raise ValueError(
                f"the addition has shape {tuple(changes.shape)}, the residual stream {tuple(hidden.shape)}"
            )
        return (hidden + changes.to(hidden), *args[1:]), kwargs

    handle = blocks_of(model)[site].register_forward_pre_hook(hook, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def ablating(model: nn.Module, directions: Tensor) -> Iterator[None]:
    """Remove a direction [d], or one per row [rows, d], everywhere: Arditi et al. (2024), section 2.4.

    The unit direction is projected out of the input, the attention output and the MLP output of every block,
    at every position, generated tokens too.
    """
    unit: Tensor = directions / directions.norm(dim=-1, keepdim=True)

    def ablated(hidden: Tensor) -> Tensor:
        along = unit.to(hidden) if unit.ndim == 1 else unit.to(hidden)[:, None]
        rest: Tensor = hidden - (hidden * along).sum(-1, keepdim=True) * along
        return rest

    def before(_: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        return (ablated(args[0]), *args[1:])

    def after(_: nn.Module, __: Any, output: Any) -> Any:
        return with_stream(output, ablated(stream(output)))

    with ExitStack() as stack:
        for block in blocks_of(model):
            stack.callback(block.register_forward_pre_hook(before).remove)
            for name in ("self_attn", "mlp"):
                stack.callback(block.get_submodule(name).register_forward_hook(after).remove)
        yield
