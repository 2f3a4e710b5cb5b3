"""The inputs of passes that read one more token of every row of a batch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from transformers import DynamicCache

from graftbench.benchmark.models.architectures import may_skip_reading
from graftbench.benchmark.models.kv_cache import can_be_fixed
from graftbench.benchmark.models.load import Model


class NextInputs(Protocol):
    """Inputs of the next pass, token after token, while rows leave."""

    def next(self, newest: Tensor) -> Mapping[str, Tensor | None]:
        """Return the inputs of the next pass, which reads the tokens `newest` [rows]."""

    def kept(self, stay: Sequence[int], index: Tensor) -> "NextInputs":
        """Return those of the rows `stay` alone, in this order; `index` has the same on the device."""


@dataclass
class TokenInputs:
    """Masks and positions of the newest tokens of some rows, prepared for all tokens that may come.

    `ready` masks are those that transformers would make of others: it looks at every token whether any is padding, and
    waits for the device.
    """

    mask: Tensor  # [rows, tokens that there may be], 0 for padding
    positions: Tensor  # [rows, 1], of the last token that was read
    padding: Sequence[int]  # tokens of each row
    n_tokens: int  # that were read, padding included
    ready: bool

    def next(self, newest: Tensor) -> Mapping[str, Tensor | None]:
        """Return the inputs of the next pass, which reads the tokens `newest` [rows]."""
        self.n_tokens += 1
        self.positions = self.positions + 1
        return {"input_ids": newest[:, None], "attention_mask": self._mask(), "position_ids": self.positions}

    def kept(self, stay: Sequence[int], index: Tensor) -> "TokenInputs":
        """Return those of the rows `stay` alone, in this order; `index` has the same on the device."""
        padding = [self.padding[i] for i in stay]
        return TokenInputs(self.mask[index], self.positions[index], padding, self.n_tokens, self.ready)

    def fixed(self) -> "FixedInputs":
        """Return inputs that go on from these, in tensors that keep their places and shapes."""
        slots = torch.arange(self.mask.shape[1], device=self.mask.device)
        visible = self.mask.bool() & (slots < self.n_tokens)
        return FixedInputs(visible[:, None, None], self.positions.clone(), slots[:1] + self.n_tokens)

    def _mask(self) -> Tensor | None:
        mask = self.mask[:, : self.n_tokens]
        if not self.ready:
            return mask.contiguous()
        return mask[:, None, None] if any(self.padding) else None


@dataclass
class FixedInputs:
    """The same in tensors that keep their places and shapes: the mask has all slots of a cache of fixed layers."""

    mask: Tensor  # [rows, 1, 1, slots], False for padding and for slots that are not filled yet
    positions: Tensor  # [rows, 1], of the last token that was read
    slot: Tensor  # [1], the next one

    def next(self, newest: Tensor) -> Mapping[str, Tensor | None]:
        """Return the inputs of the next pass, which reads the tokens `newest` [rows]."""
        self.mask.index_fill_(3, self.slot, True)
        self.slot += 1
        self.positions += 1
        return {"input_ids": newest[:, None], "attention_mask": self.mask, "position_ids": self.positions}

    def kept(self, stay: Sequence[int], index: Tensor) -> "FixedInputs":  # noqa: ARG002
        """Return those of the rows `stay` alone, in this order; `index` has the same on the device."""
        return FixedInputs(self.mask[index], self.positions[index], self.slot)


def inputs_after(model: Model, prompts: Tensor, cache: DynamicCache, max_new_tokens: int) -> TokenInputs:
    """Return the inputs after prompts with a mask [rows, tokens], 0 for padding on the left."""
    n_tokens = prompts.sum(-1, keepdim=True)
    mask = torch.cat([prompts, prompts.new_ones(len(prompts), max_new_tokens)], dim=1)
    padding: list[int] = (prompts.shape[1] - n_tokens[:, 0]).tolist()
    ready = _takes_ready_masks(model, cache)
    return TokenInputs(mask.bool() if ready else mask, n_tokens - 1, padding, prompts.shape[1], ready)


def _takes_ready_masks(model: Model, cache: DynamicCache) -> bool:
    """Return whether a model's class was tried with masks as attention reads them, and no layer has a window."""
    config = model.module.config.get_text_config()
    return may_skip_reading(model.module) and config._attn_implementation == "sdpa" and can_be_fixed(cache)
