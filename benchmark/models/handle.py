"""Handles of models: all that is known of a model without its weights, and the way to them."""

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

import torch
from transformers import PreTrainedTokenizerFast

if TYPE_CHECKING:
    from graftbench.benchmark.models.load import Model


class ModelHandle(Protocol):
    """A model whose weights are in memory during `loaded()`; a `Model` is a handle of itself, and always there.

    Hooks are put on what `loaded()` gives, and come off before it ends: so long the model is not evicted.
    """

    @property
    def name(self) -> str:
        """Name under which it was asked for."""

    @property
    def identity(self) -> str:
        """Hash of its files and of how they are read, which identifies it in every cache key."""

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
