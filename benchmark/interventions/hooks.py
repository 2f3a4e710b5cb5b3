"""Interventions as hooks on the blocks of a model: each row of a batch has its own."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from graftbench.benchmark.interventions.operators import Ablate, Add, Intervention, Replace, Rewrite, at_generated
from graftbench.benchmark.models.architectures import (
    Blocks,
    hidden_states,
    input_states,
    with_hidden_states,
    with_input_states,
)

SiteStep = Add | Replace | Rewrite
RowSteps = Sequence[tuple[int, SiteStep]]  # with the row that each belongs to


class Batch:
    """The interventions on the rows of one batch, as hooks on the blocks of its model.

    The first pass reads the prompts, padded on the left; each later pass reads one more token of every row.
    """

    def __init__(self, rows: Sequence[Sequence[Intervention]], *, every_row: bool = False) -> None:
        self._rows = [tuple(row) for row in rows]
        self._every_row = every_row
        self._n_generated = 0  # tokens of each row that were generated and read
        self._paused = False
        self._changes_by_token = False  # where generated tokens get vectors of their own
        self._changes: dict[int, list[_SiteChange | _Rewriting]] = {}
        self._directions = _directions(self._rows)
        self._arrange()

    @classmethod
    def for_every_row(cls, steps: Sequence[Intervention]) -> "Batch":
        """Return a batch of any number of rows, all under the same interventions."""
        return cls([steps], every_row=True)

    def keep(self, rows: Sequence[int]) -> None:
        """Drop all rows but these."""
        self._rows = [self._rows[i] for i in rows]
        self._directions = _directions(self._rows)
        self._arrange()

    def put(self, interventions: Mapping[int, Sequence[Intervention]]) -> None:
        """Give some rows other interventions from the next pass on; directions to ablate stay."""
        for i, row in interventions.items():
            self._rows[i] = tuple(row)
        self._arrange()

    def first_site(self, n_blocks: int) -> int:
        """Return the first block with an intervention; the last block where there is none."""
        return 0 if self._directions is not None else min(self._changes, default=n_blocks - 1)

    def next_token(self) -> None:
        """Prepare for a pass that reads one more generated token of each row."""
        self._n_generated += 1
        if self._n_generated == 1 or self._changes_by_token:
            self._arrange()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave the model alone during a `with` block, in which it may read something else."""
        self._paused = True
        try:
            yield
        finally:
            self._paused = False

    def _arrange(self) -> None:
        """Sort the interventions of the next pass by site. A site without any keeps its hook: it may get some later."""
        steps = [(i, step) for i, row in enumerate(self._rows) for step in row if not isinstance(step, Ablate)]
        self._changes_by_token = any(isinstance(step, Add) and step.generated is not None for _, step in steps)
        n = self._n_generated
        now = [(i, each) for i, step in steps for each in (at_generated([step], n) if n else [step])]
        n_rows = None if self._every_row else len(self._rows)
        self._changes = {site: _changes_at(site, now, n_rows) for site in sorted({step.site for _, step in steps})}

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
            changes = [] if self._paused else self._changes.get(site, [])
            if not changes:
                return None
            hidden = input_states(args, kwargs)
            for change in changes:
                hidden = change(hidden)
            return with_input_states(args, kwargs, hidden)

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


def _changes_at(site: int, steps: Sequence[tuple[int, Intervention]], n_rows: int | None) -> "list[_Change]":
    """Return the changes at one site in their order: replace, rewrite, add. `n_rows` None: the same for any row."""
    replaced = [(i, step) for i, step in steps if isinstance(step, Replace) and step.site == site]
    rewritten = [(i, step) for i, step in steps if isinstance(step, Rewrite) and step.site == site]
    added = [(i, step) for i, step in steps if isinstance(step, Add) and step.site == site]
    functions = dict.fromkeys(step.by for _, step in rewritten)
    return [
        *([_SiteChange(Replace, list(replaced), n_rows)] if replaced else []),
        *(_Rewriting(by, [i for i, step in rewritten if step.by == by], n_rows) for by in functions),
        *([_SiteChange(Add, list(added), n_rows)] if added else []),
    ]


@dataclass
class _Rewriting:
    """One function applied to some rows."""

    by: Callable[[Tensor], Tensor]
    rows: list[int]
    n_rows: int | None

    def __call__(self, hidden: Tensor) -> Tensor:
        _check_rows(hidden, self.n_rows)
        rows = torch.tensor(range(len(hidden)) if self.n_rows is None else self.rows, device=hidden.device)
        chosen = hidden[rows]
        new = self.by(chosen.flatten(0, 1).float()).to(hidden).reshape(chosen.shape)
        return hidden.index_copy(0, rows, new)


@dataclass
class _SiteChange:
    """All additions, or all replacements, at one site."""

    kind: type[Add] | type[Replace]
    steps: list[tuple[int, Add | Replace]]
    n_rows: int | None

    def __call__(self, hidden: Tensor) -> Tensor:
        _check_rows(hidden, self.n_rows)
        rows, columns, values = self._places(hidden)
        return hidden.index_put((rows, columns), values, accumulate=self.kind is Add)

    def _places(self, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return rows [n], columns [n] and vectors [n, d] of hidden states [rows, tokens, d]."""
        n_tokens = hidden.shape[1]
        rows: list[int] = []
        columns: list[int] = []
        values: list[Tensor] = []
        for row, step in self.steps:
            where = range(n_tokens) if step.positions is None else [n_tokens + p for p in step.positions]
            if any(column < 0 for column in where):
                raise ValueError(f"a position among {step.positions} lies before a prompt of {n_tokens} tokens")
            rows += [row] * len(where)
            columns += where
            values.append(step.vectors.to(hidden).expand(len(where), -1))
        if self.n_rows is None:
            n = len(hidden)
            every = torch.arange(n).repeat_interleave(len(columns))
            return every, torch.tensor(columns).repeat(n), torch.cat(values).repeat(n, 1)
        return torch.tensor(rows), torch.tensor(columns), torch.cat(values)


_Change = _SiteChange | _Rewriting


def _check_rows(hidden: Tensor, n_rows: int | None) -> None:
    if n_rows is not None and hidden.shape[0] != n_rows:
        raise ValueError(f"interventions for {n_rows} rows met a batch of {hidden.shape[0]}")


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
