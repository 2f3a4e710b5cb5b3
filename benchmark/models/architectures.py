"""The blocks of a transformer, and the hidden states that pass through them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from graftbench.benchmark.core.errors import UserError

Sites = tuple[int, int]  # in the source and in the target

_PLAIN = ("self_attn", "mlp")
_GEMMA = ("post_attention_layernorm", "post_feedforward_layernorm")  # they normalise what attention and MLP write
# For each class of model the path of its list of blocks, and the parts of a block that write to the residual stream.
KNOWN: dict[str, tuple[str, tuple[str, ...]]] = {
    "LlamaForCausalLM": ("model.layers", _PLAIN),
    "MistralForCausalLM": ("model.layers", _PLAIN),
    "Qwen2ForCausalLM": ("model.layers", _PLAIN),
    "Qwen3ForCausalLM": ("model.layers", _PLAIN),
    "Gemma2ForCausalLM": ("model.layers", _GEMMA),
    "Gemma3ForCausalLM": ("model.layers", _GEMMA),
    "Gemma3ForConditionalGeneration": ("model.language_model.layers", _GEMMA),
    "GPTNeoXForCausalLM": ("gpt_neox.layers", ("attention", "mlp")),
    "GPT2LMHeadModel": ("transformer.h", ("attn", "mlp")),
}


@dataclass(frozen=True)
class Blocks:
    """The decoder blocks of a model, in order; the input of block `l` is the residual stream at site `l`."""

    modules: nn.ModuleList
    writers: tuple[str, ...]  # the parts of a block that write to the residual stream
    path: str  # of the list in the model

    def __len__(self) -> int:
        return len(self.modules)

    def __getitem__(self, site: int) -> nn.Module:
        return self.modules[site]

    def of(self, model: nn.Module) -> "Blocks":
        """Return the blocks of another model of the same architecture."""
        return blocks_of(model, self.path, self.writers)

    def writer_modules(self) -> list[nn.Module]:
        """List the attention and MLP parts of every block, whose outputs are added to the residual stream."""
        return [block.get_submodule(name) for block in self.modules for name in self.writers]


def is_known(model: nn.Module) -> bool:
    """Return True where the blocks of a model's class, and their arguments, are known."""
    return type(model).__name__ in KNOWN


def blocks_of(model: nn.Module, path: str | None = None, writers: Sequence[str] = _PLAIN) -> Blocks:
    """Return the blocks of a model of a known architecture, or those at `path` with the parts called `writers`.

    UserError, saying how to name them, where there are none.
    """
    kind = type(model).__name__
    if path is None:
        if not is_known(model):
            raise UserError(
                f"The blocks of a {kind} are not known to graftbench (it knows {', '.join(KNOWN)}). Name the list "
                "in the model's entry in the suite, as `blocks: model.decoder.layers`, and the parts of a block that "
                "write to the residual stream as `writers: [self_attn, mlp]`."
            )
        path, writers = KNOWN[kind]
    try:
        modules = model.get_submodule(path)
        assert isinstance(modules, nn.ModuleList)
        blocks = Blocks(modules, tuple(writers), path)
        blocks.writer_modules()
    except (AttributeError, AssertionError) as error:
        raise UserError(
            f"A {kind} has no list of blocks at {path!r} with the parts {', '.join(writers)}: {error}."
        ) from error
    return blocks


def hidden_states(output: Any) -> Tensor:
    """Return the hidden states [rows, tokens, d] in a module's output: a tensor, or a tuple that begins with one."""
    return output if isinstance(output, Tensor) else output[0]


def with_hidden_states(output: Any, hidden: Tensor) -> Any:
    """Replace the hidden states [rows, tokens, d] in a module's output."""
    return hidden if isinstance(output, Tensor) else (hidden, *output[1:])


def input_states(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """Return the hidden states [rows, tokens, d] among a block's arguments, where they come first or by name."""
    hidden: Tensor = args[0] if args else kwargs["hidden_states"]
    return hidden


def with_input_states(
    args: tuple[Any, ...], kwargs: dict[str, Any], hidden: Tensor
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Replace the hidden states [rows, tokens, d] among a block's arguments."""
    if args:
        return (hidden, *args[1:]), kwargs
    return args, kwargs | {"hidden_states": hidden}
