"""The blocks of a transformer, and the hidden states that pass through them."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.models.choices import Sites as Sites  # imported from here where blocks are named

# Classes whose blocks take a row of every argument for each row of the batch, and count positions rather than slots of
# the KV cache: only theirs are read once for equal prompts, or read on where tokens of the cache are masked.
_TRIED = frozenset(
    {
        "LlamaForCausalLM",
        "MistralForCausalLM",
        "Qwen2ForCausalLM",
        "Qwen3ForCausalLM",
        "Gemma2ForCausalLM",
        "Gemma3ForCausalLM",
        "Gemma3ForConditionalGeneration",
        "GPTNeoXForCausalLM",
        "GPT2LMHeadModel",
    }
)


@dataclass(frozen=True)
class Blocks:
    """The decoder blocks of a model, in order; the input of block `l` is the residual stream at site `l`."""

    modules: nn.ModuleList
    writers: tuple[tuple[str, ...], ...]  # of each block, the parts that write to the residual stream
    path: str  # of the list in the model

    def __len__(self) -> int:
        return len(self.modules)

    def __getitem__(self, site: int) -> nn.Module:
        return self.modules[site]

    def of(self, model: nn.Module) -> "Blocks":
        """Return the blocks of another model of the same architecture."""
        return Blocks(list_at(model, self.path), self.writers, self.path)

    def writer_modules(self) -> list[nn.Module]:
        """List the parts of every block, such as attention and MLP, whose outputs are added to the residual stream."""
        blocks = zip(self.modules, self.writers, strict=True)
        return [block.get_submodule(name) for block, names in blocks for name in names]


def may_skip_reading(model: nn.Module) -> bool:
    """Return True where a model's class was tried with what saves reading: shared prompts and masked tokens."""
    return type(model).__name__ in _TRIED


def list_at(model: nn.Module, path: str) -> nn.ModuleList:
    """Return the list of modules at a path; UserError where there is none."""
    try:
        modules = model.get_submodule(path)
    except AttributeError as error:
        raise UserError(f"A {type(model).__name__} has no list of blocks at {path!r}: {error}.") from error
    if not isinstance(modules, nn.ModuleList):
        raise UserError(f"What a {type(model).__name__} has at {path!r} is no list of blocks.")
    return modules


def hidden_states_or_none(output: Any) -> Tensor | None:
    """Return the hidden states in a module's output: a tensor, or a tuple that begins with one; else None."""
    first = output[0] if isinstance(output, tuple | list) and output else output
    return first if isinstance(first, Tensor) else None


def hidden_states(output: Any) -> Tensor:
    """Return the hidden states [rows, tokens, d] in a module's output: a tensor, or a tuple that begins with one."""
    hidden = hidden_states_or_none(output)
    assert hidden is not None
    return hidden


def with_hidden_states(output: Any, hidden: Tensor) -> Any:
    """Replace the hidden states [rows, tokens, d] in a module's output."""
    return hidden if isinstance(output, Tensor) else (hidden, *output[1:])


def block_input(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor | None:
    """Return the hidden states among a module's arguments, where they come first or by name; None where none are."""
    first = args[0] if args else kwargs.get("hidden_states")
    return first if isinstance(first, Tensor) and first.is_floating_point() else None


def input_states(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """Return the hidden states [rows, tokens, d] among a block's arguments."""
    hidden = block_input(args, kwargs)
    assert hidden is not None
    return hidden


def with_input_states(
    args: tuple[Any, ...], kwargs: dict[str, Any], hidden: Tensor
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Replace the hidden states [rows, tokens, d] among a block's arguments."""
    if args:
        return (hidden, *args[1:]), kwargs
    return args, kwargs | {"hidden_states": hidden}
