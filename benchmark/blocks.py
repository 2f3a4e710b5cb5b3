"""Where the blocks of a transformer are, and what passes through them."""

from typing import Any

from torch import Tensor, nn


def blocks_of(model: nn.Module) -> nn.ModuleList:
    """The decoder blocks of a Llama-like model, in order; block `l` reads the residual stream at site `l`."""
    decoder = model.get_submodule("model")
    layers = decoder.get_submodule("layers")
    assert isinstance(layers, nn.ModuleList)
    return layers


def stream(output: Any) -> Tensor:
    """The hidden states in a module's output, which is a Tensor or a tuple that begins with one."""
    return output if isinstance(output, Tensor) else output[0]


def with_stream(output: Any, hidden: Tensor) -> Any:
    """A module's output with other hidden states in it."""
    return hidden if isinstance(output, Tensor) else (hidden, *output[1:])
