"""Handles of models: all that is known of a model without its weights, and the way to them."""

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

import torch
from transformers import PreTrainedTokenizerFast

if TYPE_CHECKING:
    from graftbench.benchmark.models.load import Model


class ModelHandle(Protocol):
    """A model whose weights are there during `loaded()` alone; a `Model` is a handle whose weights are always there.

    Hooks go on a model inside of an open `loaded()`: until it ends the model stays the one that it is, in memory.
    """

    @property
    def name(self) -> str:
        """The name that it was asked for by."""

    @property
    def identity(self) -> str:
        """What identifies it in every cache key."""

    @property
    def tokenizer(self) -> PreTrainedTokenizerFast:
        """Its tokenizer, with its chat format."""

    @property
    def device(self) -> torch.device:
        """Device of its weights, or of the first of them."""

    @property
    def dtype(self) -> torch.dtype:
        """Type of its weights."""

    @property
    def d(self) -> int:
        """Width of the residual stream."""

    @property
    def n_blocks(self) -> int:
        """Number of its blocks, and of its sites."""

    @property
    def context(self) -> float:
        """Maximum number of positions; infinite where its configuration names none."""

    def loaded(self) -> "AbstractContextManager[Model]":
        """Hold the model in memory during a `with` block, which may stand in another one on the same model."""
