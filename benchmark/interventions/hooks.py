"""Interventions as hooks on the blocks of a model: each row of a batch has its own."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from graftbench.benchmark.interventions.operators import Ablate, Intervention, Replace
from graftbench.benchmark.interventions.site_changes import SiteChanges
from graftbench.benchmark.models.architectures import (
    Blocks,
    hidden_states,
    input_states,
    with_hidden_states,
    with_input_states,
)


class Batch:
    """The interventions on the rows of one batch, as hooks on the blocks of its model.

    The first pass reads the prompts, padded on the left; each later pass reads one more token of every row. At the
    sites `followed` other models are followed, too.
    """

    def __init__(
        self,
        rows: Sequence[Sequence[Intervention]],
        *,
        every_row: bool = False,
        followed: Collection[int] = (),
    ) -> None:
        self._rows = [tuple(row) for row in rows]
        self._n_rows = None if every_row else len(self._rows)
        self._n_generated = 0  # tokens of each row that were generated and read
        self._paused = False
        self._changes = _changes(self._rows, self._n_rows, followed)
        self._directions = _directions(self._rows)

    @classmethod
    def for_every_row(cls, steps: Sequence[Intervention]) -> "Batch":
        """Return a batch of any number of rows, all under the same interventions."""
        return cls([steps], every_row=True)

    def keep(self, stay: Sequence[int], index: Tensor) -> None:
        """Drop all rows but those in `stay`; `index` has the same on the device."""
        self._rows = [self._rows[i] for i in stay]
        self._changes = {site: changes.kept(stay, index) for site, changes in self._changes.items()}
        if self._directions is not None:
            left = any(isinstance(step, Ablate) for row in self._rows for step in row)
            self._directions = self._directions[index.to(self._directions.device)] if left else None

    def put(self, steps: Sequence[Intervention]) -> None:
        """Give every row other interventions from the next pass on; directions to ablate stay."""
        before = self._rows[0]
        if len(steps) != len(before) or any(one is not other for one, other in zip(steps, before, strict=True)):
            self._rows = [tuple(steps)]
            self._changes = _changes(self._rows, self._n_rows, ())

    def follow(self, replacements: Mapping[int, Sequence[Replace]]) -> None:
        """Set by row what is put in, from the next pass on, at the sites where other models are followed."""
        for site, changes in self._changes.items():
            changes.follow([(row, step) for row, steps in replacements.items() for step in steps if step.site == site])

    def first_site(self, n_blocks: int) -> int:
        """Return the first block with an intervention; the last block where there is none."""
        return 0 if self._directions is not None else min(self._changes, default=n_blocks - 1)

    def next_token(self) -> None:
        """Prepare for a pass that reads one more generated token of each row."""
        self._n_generated += 1
        for changes in self._changes.values():
            changes.next_token(self._n_generated)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave the model alone during a `with` block, in which it may read something else."""
        self._paused = True
        try:
            yield
        finally:
            self._paused = False

    @contextmanager
    def on(self, blocks: Blocks) -> Iterator["Batch"]:
        """Put the hooks on during a `with` block."""
        with ExitStack() as stack:
            for site in self._changes:
                handle = blocks[site].register_forward_pre_hook(self._at(site), with_kwargs=True)
                stack.callback(handle.remove)
            if self._directions is not None:
                for block in blocks.modules:
                    stack.callback(block.register_forward_pre_hook(self._before, with_kwargs=True).remove)
                for module in blocks.writer_modules():
                    stack.callback(module.register_forward_hook(self._after).remove)
            yield self

    def _at(self, site: int) -> Any:
        def hook(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            changes = None if self._paused else self._changes.get(site)
            if changes is None:  # a site without any keeps its hook: it may get some later
                return None
            hidden = input_states(args, kwargs)
            changed = changes.at_tokens(hidden) if self._n_generated else changes.at_prompts(hidden)
            return None if changed is hidden else with_input_states(args, kwargs, changed)

        return hook

    def _before(self, _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return with_input_states(args, kwargs, self._ablated(input_states(args, kwargs)))

    def _after(self, _: nn.Module, __: Any, output: Any) -> Any:
        return with_hidden_states(output, self._ablated(hidden_states(output)))

    def _ablated(self, hidden: Tensor) -> Tensor:
        """Project the direction of each row out of [rows, tokens, d], or of [rows * tokens, d]."""
        if self._paused or self._directions is None:  # None also once the rows with a direction have left
            return hidden
        self._directions = self._directions.to(hidden)  # once: they stay on the device
        along = self._directions[:, None]
        by_row = hidden if hidden.ndim == 3 else hidden.unflatten(0, (len(along), -1))  # some parts run on [tokens, d]
        rest = by_row - (by_row * along).sum(-1, keepdim=True) * along
        return rest.view_as(hidden)


def _changes(
    rows: Sequence[Sequence[Intervention]], n_rows: int | None, followed: Collection[int]
) -> dict[int, SiteChanges]:
    """Return the changes by site, in the order of the sites."""
    steps = [(i, step) for i, row in enumerate(rows) for step in row if not isinstance(step, Ablate)]
    sites = sorted({step.site for _, step in steps} | set(followed))
    return {site: SiteChanges([(i, step) for i, step in steps if step.site == site], n_rows) for site in sites}


def _directions(rows: Sequence[Sequence[Intervention]]) -> Tensor | None:
    """Return the unit direction to ablate from each row [rows, d], zero where there is none; None without any."""
    directions = {i: step.direction for i, row in enumerate(rows) for step in row if isinstance(step, Ablate)}
    if not directions:
        return None
    unit = torch.zeros(len(rows), next(iter(directions.values())).shape[-1], dtype=torch.float64)
    for i, direction in directions.items():
        if not direction.any():
            raise ValueError("a zero vector has no direction to ablate")
        unit[i] = direction.double() / direction.double().norm()
    return unit
