"""Where the blocks of a transformer are, and what passes through them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from graftbench.benchmark.core.errors import UserError


@dataclass(frozen=True)
class Layout:
    """Where an architecture keeps its blocks, and which parts of a block write to the residual stream."""

    blocks: str
    writers: tuple[str, ...]


_PLAIN = Layout("model.layers", ("self_attn", "mlp"))
_GEMMA = ("post_attention_layernorm", "post_feedforward_layernorm")  # what they write is normalised once more
LAYOUTS = {
    "LlamaForCausalLM": _PLAIN,
    "MistralForCausalLM": _PLAIN,
    "Qwen2ForCausalLM": _PLAIN,
    "Qwen3ForCausalLM": _PLAIN,
    "Gemma2ForCausalLM": Layout("model.layers", _GEMMA),
    "Gemma3ForCausalLM": Layout("model.layers", _GEMMA),
    "Gemma3ForConditionalGeneration": Layout("model.language_model.layers", _GEMMA),
    "GPTNeoXForCausalLM": Layout("gpt_neox.layers", ("attention", "mlp")),
    "GPT2LMHeadModel": Layout("transformer.h", ("attn", "mlp")),
}


@dataclass(frozen=True)
class Blocks:
    """The decoder blocks of a model, in order; block `l` reads the residual stream at site `l`."""

    modules: nn.ModuleList
    writers: tuple[str, ...]
    path: str  # where the list is in the model

    def __len__(self) -> int:
        return len(self.modules)

    def __getitem__(self, site: int) -> nn.Module:
        return self.modules[site]

    def of(self, model: nn.Module) -> "Blocks":
        """The blocks of another model that is built alike."""
        return blocks_of(model, self.path, self.writers)

    def writing(self) -> list[nn.Module]:
        """The attention and MLP parts of every block, whose outputs are added to the residual stream."""
        return [block.get_submodule(name) for block in self.modules for name in self.writers]


def is_known(model: nn.Module) -> bool:
    """Whether a model's class is one whose blocks, and what they are given, are known."""
    return type(model).__name__ in LAYOUTS


def blocks_of(model: nn.Module, path: str | None = None, writers: Sequence[str] = _PLAIN.writers) -> Blocks:
    """The blocks of a model of a known architecture, or those at `path` with the parts called `writers`.

    UserError, saying how to name them, where there are none.
    """
    kind = type(model).__name__
    if path is None:
        if not is_known(model):
            raise UserError(
                f"The blocks of a {kind} are not known to graftbench (it knows {', '.join(LAYOUTS)}). Name the list "
                "in the model's entry in the suite, as `blocks: model.decoder.layers`, and the parts of a block that "
                "write to the residual stream as `writers: [self_attn, mlp]`."
            )
        path, writers = LAYOUTS[kind].blocks, LAYOUTS[kind].writers
    try:
        modules = model.get_submodule(path)
        assert isinstance(modules, nn.ModuleList)
        found = Blocks(modules, tuple(writers), path)
        found.writing()
    except (AttributeError, AssertionError) as error:
        raise UserError(
            f"A {kind} has no list of blocks at {path!r} with the parts {', '.join(writers)}: {error}."
        ) from error
    return found


def stream(output: Any) -> Tensor:
    """The hidden states in a module's output, which is a Tensor or a tuple that begins with one."""
    return output if isinstance(output, Tensor) else output[0]


def with_stream(output: Any, hidden: Tensor) -> Any:
    """A module's output with other hidden states in it."""
    return hidden if isinstance(output, Tensor) else (hidden, *output[1:])


def with_input(args: tuple[Any, ...], kwargs: dict[str, Any], hidden: Tensor) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a block with other hidden states, which come first or by name."""
    if args:
        return (hidden, *args[1:]), kwargs
    return args, kwargs | {"hidden_states": hidden}


def input_of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """The hidden states among the arguments of a block."""
    hidden: Tensor = args[0] if args else kwargs["hidden_states"]
    return hidden


Sites = tuple[int, int]  # in the source and in the target
