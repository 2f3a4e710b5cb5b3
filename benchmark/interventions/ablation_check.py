"""A check that nothing is left in a model along a direction that is ablated from it."""

from contextlib import ExitStack
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import nn

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.interventions.hooks import Batch
from graftbench.benchmark.interventions.operators import Ablate
from graftbench.benchmark.models.architectures import hidden_states
from graftbench.benchmark.models.load import Model
from graftbench.benchmark.models.tokens import pad

_ROWS = (9, 6)  # tokens
_TINY = 1e-9  # states are zero where an embedding is, as that of the padding token may be
_LEFT: WeakKeyDictionary[nn.Module, float] = WeakKeyDictionary()


def check_ablation(model: Model) -> None:
    """Raise UserError, which names `writers`, where some of an ablated direction is left behind a block."""
    left, most = left_of_ablated(model), most_left(model)
    if not left <= most:  # NaN, too
        raise UserError(
            f"A direction that is ablated from {model.name} is not gone: behind a block |cos| is {left:.1g}, and "
            f"{most:.1g} at the most is rounding. {_why(model)}"
        )


def most_left(model: Model) -> float:
    """Return the |cos| that rounding leaves at the most, in the precision of a model."""
    return float(max(1e-3, 16 * torch.finfo(model.module.dtype).eps) / model.d**0.5)


@torch.inference_mode()
def left_of_ablated(model: Model) -> float:
    """Return the largest |cos| of the states behind any block with a random direction ablated from each of two rows."""
    if model.module not in _LEFT:
        _LEFT[model.module] = _left(model)
    return _LEFT[model.module]


def _left(model: Model) -> float:
    generator = torch.Generator().manual_seed(0)
    directions = torch.randn((len(_ROWS), model.d), generator=generator, dtype=torch.float64)
    directions /= directions.norm(dim=-1, keepdim=True)
    n = model.module.config.get_text_config().vocab_size
    rows = [(torch.arange(1, length + 1) * (7 + i) % n).tolist() for i, length in enumerate(_ROWS)]
    inputs = pad(rows, model)
    real = inputs["attention_mask"].bool()
    seen: list[float] = []

    def look(_: nn.Module, __: Any, output: Any) -> None:
        hidden = hidden_states(output).double()
        here = real.to(hidden.device)
        along = (hidden * directions.to(hidden)[:, None]).sum(-1)[here].abs()
        seen.append(float((along / hidden.norm(dim=-1)[here].clamp(min=_TINY)).max()))

    with ExitStack() as stack:
        stack.enter_context(Batch([(Ablate(direction),) for direction in directions]).on(model.blocks))
        for block in model.blocks.modules:
            stack.callback(block.register_forward_hook(look).remove)
        model.module(**inputs, use_cache=False)
    return max(seen)


def _why(model: Model) -> str:
    if not all(model.blocks.writers):
        return (
            "The parts of its blocks that write to the residual stream were not found: name them as `writers`. Where a "
            "block normalises the stream itself, nothing can be ablated from it."
        )
    named = " or ".join(f"[{', '.join(names)}]" for names in dict.fromkeys(model.blocks.writers))
    return f"Its blocks have other parts that write to the residual stream than {named}: name them all as `writers`."
