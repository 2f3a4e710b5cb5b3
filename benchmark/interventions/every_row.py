"""Interventions on every row that a model reads, in any call of it, such as transformers' `generate`."""

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.interventions.hooks import Batch
from graftbench.benchmark.interventions.operators import Add, Intervention, Replace, at_generated, shifted
from graftbench.benchmark.models.load import Model


@contextmanager
def for_every_row(model: Model, steps: Sequence[Intervention]) -> Iterator[None]:
    """Put interventions on every row of every batch that the model reads during a `with` block.

    `Add` and `Replace` at positions act on these tokens of the prompt, counted from the right, and on no generated
    token (`Add.generated` aside). With positions None they act on every token, generated ones too, as `Rewrite` and
    `Ablate` do. Beams are rows. All hooks are removed at the end, after an exception too.

    A pass is a prompt unless its cache holds tokens already, or it has no cache and extends the last prompt by one
    token more than the pass before: these read generated tokens. UserError where interventions at positions meet a
    prompt with padding at one of them (so pad on the left), or a prompt that is read in several passes.
    """
    passes = _Passes(steps)
    with passes.batch.on(model.blocks):
        handle = model.module.base_model.register_forward_pre_hook(passes.before, with_kwargs=True)
        try:
            yield
        finally:
            handle.remove()


class _Passes:
    """Decide before every pass of a model which of its tokens belong to the prompt."""

    def __init__(self, steps: Sequence[Intervention]) -> None:
        self.batch = Batch.for_every_row(steps)
        self._steps = tuple(steps)
        placed = [step.positions for step in steps if isinstance(step, Add | Replace) and step.positions is not None]
        self._at_positions = bool(placed)
        self._positions = sorted({position for positions in placed for position in positions})
        self._prompt: Tensor | None = None  # tokens [rows, n], or their embeddings [rows, n, d]
        self._n_read = 0  # tokens of a row, the last pass included

    def before(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Set the interventions of the next pass; a hook before the model's `forward`."""
        if not self._at_positions:
            return
        given = inspect.signature(module.forward).bind(*args, **kwargs).arguments
        tokens = given.get("input_ids")
        tokens = given["inputs_embeds"] if tokens is None else tokens
        self.batch.put(self._steps_of(tokens, given.get("past_key_values"), given.get("attention_mask")))

    def _steps_of(self, tokens: Tensor, cache: Any, mask: Any) -> Sequence[Intervention]:
        n, n_cached = tokens.shape[1], 0 if cache is None else int(cache.get_seq_length())
        n_prompt = 0 if self._prompt is None else self._prompt.shape[1]
        if n_cached:
            if n == 1 and 0 < n_prompt <= n_cached:
                return at_generated(self._steps, n_cached + 1 - n_prompt)
            raise UserError(
                "Interventions at positions of a prompt need it to be read in one pass: let `generate` begin with an "
                "empty cache, without prefill in chunks and without assisted decoding."
            )
        if cache is None and self._continues(tokens):
            self._n_read = n
            return shifted(self._steps, n - n_prompt, n)
        self._check_positions(n, mask)
        self._prompt, self._n_read = tokens, n
        return self._steps

    def _continues(self, tokens: Tensor) -> bool:
        """Return whether a pass without a cache reads the prompt of the pass before, and one more token."""
        if self._prompt is None or tokens.shape[1] != self._n_read + 1 or len(tokens) != len(self._prompt):
            return False
        return torch.equal(tokens[:, : self._prompt.shape[1]], self._prompt)

    def _check_positions(self, n: int, mask: Any) -> None:
        padded = mask if isinstance(mask, Tensor) and mask.ndim == 2 and mask.shape[1] == n else None
        for position in self._positions:
            if -position > n or (padded is not None and not padded[:, position].all()):
                raise UserError(
                    f"A prompt has no token at position {position}: name positions that every prompt of the batch has, "
                    "and pad on the left."
                )
