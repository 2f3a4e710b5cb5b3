"""The blocks of a language model, and what each adds to the residual stream, found by one forward pass.

A list of modules is the list of blocks where each entry is called once, in order, on hidden states. The writers of a
block are the modules whose outputs make up its change of the stream: output = a * input + the sum of c * (output of
the writer), with a and c not zero. Names of modules play no part in it. A block that normalises the stream itself, as
those of OPT-350m do, is no such sum.
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.models.architectures import Blocks, block_input, hidden_states_or_none, list_at

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_N_TOKENS = 12
_MOST_WRITERS = 4  # of a block: Gemma 4 and Falcon-H1 have three
_MOST_CANDIDATES = 24
_DEEPEST = 3  # levels below a block
_FEW_TIMES = 3
_NO_PART = 0.02  # a factor that is no more than rounding


@dataclass
class _Calls:
    """What was seen of one block: its input and output [tokens, d], and the outputs of its parts, outermost first."""

    inputs: list[Tensor] = field(default_factory=list)
    outputs: list[Tensor] = field(default_factory=list)
    parts: dict[str, list[Tensor]] = field(default_factory=dict)


def blocks_of(module: "PreTrainedModel", named: str | None = None, writers: Sequence[str] | None = None) -> Blocks:
    """Return the blocks of a model and their writers, those that are not named found by a forward pass.

    Blocks whose writers are not found have none; nothing can be ablated from such a model. UserError where no list of
    blocks is found, or what is named is not there.
    """
    kind = type(module).__name__
    path = _list_of_blocks(module) if named is None else named
    if path is None:
        raise UserError(
            f"The list of blocks of a {kind} was not found. Name it in the model's entry in the suite, as `blocks: "
            "model.decoder.layers`, or by --blocks."
        )
    modules = list_at(module, path)
    if named is not None and not _are_called_in_order(module, modules):
        raise UserError(
            f"The modules that a {kind} has at {named!r} are not called one after the other on the states of a text, "
            "as decoder blocks are: leave `blocks` out, and they are looked for."
        )
    if writers is None:
        return Blocks(modules, tuple(_writers(calls) or () for calls in _watched(module, modules)), path)
    _check_names(modules, kind, writers)
    return Blocks(modules, tuple(_named_in(block, i, kind, writers) for i, block in enumerate(modules)), path)


def _named_in(block: nn.Module, i: int, kind: str, writers: Sequence[str]) -> tuple[str, ...]:
    """Return the named writers that a block has: blocks of one model may have different ones."""
    parts = {name for name, _ in block.named_modules()} - {""}
    own = tuple(name for name in writers if name in parts)
    if not own:
        known = ", ".join(sorted(name for name in parts if "." not in name))
        raise UserError(f"Block {i} of a {kind} has none of the writers {list(writers)}. Its parts are {known}.")
    return own


def _check_names(modules: nn.ModuleList, kind: str, writers: Sequence[str]) -> None:
    parts = {name for block in modules for name, _ in block.named_modules()}
    for name in writers:
        if name not in parts:
            known = ", ".join(sorted(part for part in parts if part and "." not in part))
            raise UserError(f"No block of a {kind} has the writer {name!r}. Their parts are {known}.")


def _list_of_blocks(module: "PreTrainedModel") -> str | None:
    """Return the path of the list of blocks in a model, None where none of its lists is one."""
    n: int = module.config.get_text_config().num_hidden_layers
    for path, part in module.named_modules():
        if isinstance(part, nn.ModuleList) and len(part) == n and _are_called_in_order(module, part):
            return str(path)
    return None


def _are_called_in_order(module: "PreTrainedModel", blocks: nn.ModuleList) -> bool:
    called: list[int] = []
    with ExitStack() as stack:
        for i, block in enumerate(blocks):

            def note(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], i: int = i) -> None:
                hidden = block_input(args, kwargs)
                if hidden is not None and hidden.shape[:2] == (1, _N_TOKENS) and hidden.ndim == 3:
                    called.append(i)

            stack.callback(block.register_forward_pre_hook(note, with_kwargs=True).remove)
        _read(module)
    return called == list(range(len(blocks)))


def _watched(module: "PreTrainedModel", blocks: nn.ModuleList) -> list[_Calls]:
    """Return what the blocks and their parts did in one pass."""
    watched = [_Calls() for _ in blocks]
    with ExitStack() as stack:
        for block, calls in zip(blocks, watched, strict=True):

            def before(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], calls: _Calls = calls) -> None:
                hidden = block_input(args, kwargs)
                assert hidden is not None
                calls.inputs.append(hidden.clone())

            stack.callback(block.register_forward_pre_hook(before, with_kwargs=True).remove)
            parts = [(name, part) for name, part in block.named_modules() if name.count(".") < _DEEPEST]
            for name, part in sorted(parts, key=lambda one: not list(one[1].parameters())):  # dropouts last
                outputs = calls.parts.setdefault(name, []) if name else calls.outputs
                stack.callback(part.register_forward_hook(_keep_in(outputs)).remove)
        _read(module)
    return watched


def _keep_in(outputs: list[Tensor]) -> Any:
    def hook(_: nn.Module, __: Any, output: Any) -> None:
        hidden = hidden_states_or_none(output)
        if hidden is not None and hidden.is_floating_point():
            outputs.append(hidden.clone())  # some modules add to it afterwards

    return hook


@torch.inference_mode()
def _read(module: "PreTrainedModel") -> None:
    """Read a few tokens, without dropout, and leave training and random numbers as they were."""
    n = module.config.get_text_config().vocab_size
    ids = torch.arange(_N_TOKENS, 2 * _N_TOKENS, device=module.device)[None] % n
    training = module.training
    module.eval()
    try:
        module(input_ids=ids, use_cache=False)
    finally:
        module.train(training)


def _writers(calls: _Calls) -> tuple[str, ...] | None:
    if len(calls.inputs) != 1 or len(calls.outputs) != 1:
        return None
    # A rounding error is as large as the number that is rounded, and a few are far larger than the others.
    given = calls.inputs[0].to(calls.outputs[0].device)  # which may be another GPU than that of the block before
    sizes = given.double().abs() + calls.outputs[0].double().abs()
    weights = 1 / (sizes + sizes.mean(-1, keepdim=True))
    before, after = ((tensor.double() * weights).flatten() for tensor in (given, calls.outputs[0]))
    tolerance = 4 * torch.finfo(calls.outputs[0].dtype).eps * len(after) ** 0.5
    candidates = _candidates(calls.parts, weights.flatten())
    for level in range(_DEEPEST):
        some = {name: output for name, output in candidates.items() if name.count(".") <= level}
        fitting = _best_sum(before, after, some, tolerance)
        if fitting is not None:
            return fitting
    return None


def _candidates(parts: Mapping[str, Sequence[Tensor]], weights: Tensor) -> dict[str, Tensor]:
    """Return the weighted outputs of the parts that ran once and gave a state for each token; each one once."""
    kept: dict[str, Tensor] = {}
    for name, outputs in parts.items():
        if len(outputs) != 1 or outputs[0].numel() != len(weights) or len(kept) == _MOST_CANDIDATES:
            continue
        output = outputs[0].double().flatten() * weights
        if output.any() and not any(torch.allclose(output, other, rtol=1e-6) for other in kept.values()):
            kept[name] = output  # the outermost comes first
    return kept


def _best_sum(
    before: Tensor, after: Tensor, candidates: Mapping[str, Tensor], tolerance: float
) -> tuple[str, ...] | None:
    """Return the candidates with which the input of a block, each with a factor, sums up to its output.

    One more is taken only where it makes the error a few times smaller: in low precision what a block adds may be
    hardly larger than rounding.
    """
    best: tuple[float, tuple[str, ...]] | None = None
    for size in range(1, _MOST_WRITERS + 1):
        fitting = [
            (error, names)
            for names in combinations(candidates, size)
            if (error := _error(before, after, [candidates[name] for name in names])) is not None and error <= tolerance
        ]
        if not fitting:
            continue
        found = min(fitting)
        if best is not None and found[0] > best[0] / _FEW_TIMES:
            break
        best = found
    return None if best is None else best[1]


def _error(before: Tensor, after: Tensor, outputs: Sequence[Tensor]) -> float | None:
    """Return how far the best sum is from the output; None where the input, or a candidate, has no part in it."""
    terms = torch.stack([before, *outputs], dim=1)
    factors = torch.linalg.lstsq(terms, after[:, None]).solution[:, 0]
    return None if factors.abs().min() <= _NO_PART else float((terms @ factors - after).norm())
