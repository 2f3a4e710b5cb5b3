"""Interventions as hooks on the blocks of a model: each row of a batch has its own."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from graftbench.benchmark.interventions.operators import Ablate, Add, Intervention, Replace, Rewrite
from graftbench.benchmark.models.architectures import Blocks, input_of, stream, with_input, with_stream


class Batch:
    """The interventions on the rows of one batch, as hooks on the blocks of its model.

    The first pass reads the prompts, padded on the left; each pass after it one more token of every row.
    """

    def __init__(self, rows: Sequence[Sequence[Intervention]]) -> None:
        self._rows = [tuple(row) for row in rows]
        self._said, self._paused, self._moving = 0, False, False  # how many tokens of each row were generated and read
        self._changes: dict[int, list[_Site | _Rewriting]] = {}
        self._directions = _directions(self._rows)
        self._arrange()

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows alone."""
        self._rows = [self._rows[i] for i in rows]
        self._directions = _directions(self._rows)
        self._arrange()

    def put(self, interventions: Mapping[int, Sequence[Intervention]]) -> None:
        """Give some rows other interventions from the next pass on."""
        for i, row in interventions.items():
            self._rows[i] = tuple(row)
        self._arrange()

    def first_site(self, n_blocks: int) -> int:
        """The first block whose input or parts something is done to; the last where nothing is done."""
        return 0 if self._directions is not None else min(self._changes, default=n_blocks - 1)

    def next_token(self) -> None:
        """Say that the next pass reads one more generated token of each row."""
        self._said += 1
        if self._said == 1 or self._moving:
            self._arrange()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave the model alone for the time of a `with` block, in which it may read something else."""
        self._paused = True
        try:
            yield
        finally:
            self._paused = False

    def _arrange(self) -> None:
        steps = [(i, step) for i, row in enumerate(self._rows) for step in row if not isinstance(step, Ablate)]
        # Whether something else is done at each generated token.
        self._moving = any(isinstance(step, Add) and step.generated is not None for _, step in steps)
        now = [(i, self._now(step)) for i, step in steps]
        active = [(i, step) for i, step in now if step is not None]
        self._changes = {
            site: _changes_at([(i, step) for i, step in active if step.site == site], len(self._rows))
            for site in sorted({step.site for _, step in steps})
        }

    def _now(self, step: Add | Replace | Rewrite) -> Add | Replace | Rewrite | None:
        """What an intervention does to the tokens of the next pass."""
        if self._said == 0 or isinstance(step, Rewrite) or step.positions is None:
            return step
        if isinstance(step, Add) and step.generated is not None and self._said <= len(step.generated):
            return Add(step.site, step.generated[self._said - 1], None)
        return None

    @contextmanager
    def on(self, blocks: Blocks) -> Iterator["Batch"]:
        """Put the hooks on for the time of a `with` block."""
        with ExitStack() as stack:
            for site in self._changes:
                handle = blocks[site].register_forward_pre_hook(self._at(site), with_kwargs=True)
                stack.callback(handle.remove)
            if self._directions is not None:
                for block in blocks.modules:
                    stack.callback(block.register_forward_pre_hook(self._before, with_kwargs=True).remove)
                for module in blocks.writing():
                    stack.callback(module.register_forward_hook(self._after).remove)
            yield self

    def _at(self, site: int) -> Any:
        def hook(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            changes = [] if self._paused else self._changes.get(site, [])
            if not changes:
                return None
            hidden = input_of(args, kwargs)
            for change in changes:
                hidden = change(hidden)
            return with_input(args, kwargs, hidden)

        return hook

    def _before(self, _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return with_input(args, kwargs, self._ablated(input_of(args, kwargs)))

    def _after(self, _: nn.Module, __: Any, output: Any) -> Any:
        return with_stream(output, self._ablated(stream(output)))

    def _ablated(self, hidden: Tensor) -> Tensor:
        if self._paused or self._directions is None:  # none is left when the rows that had them have ended
            return hidden
        self._directions = self._directions.to(hidden)  # once: they stay where they are used
        along = self._directions[:, None]
        rest: Tensor = hidden - (hidden * along).sum(-1, keepdim=True) * along
        return rest


Steps = Sequence[tuple[int, Add | Replace | Rewrite]]  # with the row that each belongs to


def _changes_at(steps: Steps, n_rows: int) -> "list[_Site | _Rewriting]":
    """What is done at one site: what replaces comes first, then what rewrites, then what is added."""
    replaced = [(i, step) for i, step in steps if isinstance(step, Replace)]
    rewritten = [(i, step) for i, step in steps if isinstance(step, Rewrite)]
    added = [(i, step) for i, step in steps if isinstance(step, Add)]
    functions = dict.fromkeys(step.by for _, step in rewritten)
    return [
        *([_Site(Replace, list(replaced), n_rows)] if replaced else []),
        *(_Rewriting(by, [i for i, step in rewritten if step.by == by], n_rows) for by in functions),
        *([_Site(Add, list(added), n_rows)] if added else []),
    ]


@dataclass
class _Rewriting:
    """One function applied to some rows."""

    by: Callable[[Tensor], Tensor]
    rows: list[int]
    n_rows: int

    def __call__(self, hidden: Tensor) -> Tensor:
        _check_rows(hidden, self.n_rows)
        rows = torch.tensor(self.rows, device=hidden.device)
        chosen = hidden[rows]
        new = self.by(chosen.flatten(0, 1).float()).to(hidden).reshape(chosen.shape)
        return hidden.index_copy(0, rows, new)


@dataclass
class _Site:
    """What one kind of intervention does at one site: where, and with which vectors."""

    kind: type[Add] | type[Replace]
    steps: list[tuple[int, Add | Replace]]
    n_rows: int

    def __call__(self, hidden: Tensor) -> Tensor:
        _check_rows(hidden, self.n_rows)
        rows, columns, values = self._places(hidden)
        return hidden.index_put((rows, columns), values, accumulate=self.kind is Add)

    def _places(self, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
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
        return torch.tensor(rows), torch.tensor(columns), torch.cat(values)


def _check_rows(hidden: Tensor, n_rows: int) -> None:
    if hidden.shape[0] != n_rows:
        raise ValueError(f"interventions for {n_rows} rows met a batch of {hidden.shape[0]}")


def _directions(rows: Sequence[Sequence[Intervention]]) -> Tensor | None:
    """The unit direction to ablate from each row [rows, d], zero where there is none; None where none has any."""
    found = {i: step.direction for i, row in enumerate(rows) for step in row if isinstance(step, Ablate)}
    if not found:
        return None
    unit = torch.zeros(len(rows), next(iter(found.values())).shape[-1], dtype=torch.float64)
    for i, direction in found.items():
        if not direction.any():
            raise ValueError("a zero vector has no direction to ablate")
        unit[i] = direction.double() / direction.double().norm()
    return unit
