"""The interventions of a batch at one site, made into tensors once for the prompts and once for generated tokens.

A row's steps act one after the other, so that sums are rounded in their order: the first step of every row makes up the
first layer, the second of every row the second.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor

from graftbench.benchmark.interventions.changes import (
    Added,
    AddedByToken,
    AtPlaces,
    Change,
    LastingChange,
    Replaced,
    Rewritten,
)
from graftbench.benchmark.interventions.operators import Add, Replace, Rewrite

SiteStep = Add | Replace | Rewrite
RowSteps = Sequence[tuple[int, SiteStep]]  # with the row that each belongs to
_Layer = Sequence[tuple[int, Add | Replace]]  # at most one step of each row
_NOTHING = -0.0  # to add: 0.0 would turn a -0.0 into 0.0
C = TypeVar("C", bound=Change)
S = TypeVar("S", bound=SiteStep)


@dataclass(frozen=True, eq=False)
class _Phase(Generic[C]):
    """What replaces states, and what acts on them afterwards; between the two comes what follows another model."""

    first: list[C]
    then: list[C]


class SiteChanges:
    """All that is done at one site: replace, rewrite, add. `n_rows` None: the same for any row."""

    def __init__(self, steps: RowSteps, n_rows: int | None) -> None:
        self._steps, self._n_rows = steps, n_rows
        self._learns = any(not isinstance(step, Rewrite) and step.vectors.requires_grad for _, step in steps)
        self._followed: RowSteps = ()
        self._like: Tensor | None = None  # an empty tensor of the device and the type of the states
        self._of_prompts: _Phase[Change] | None = None
        self._of_tokens: _Phase[LastingChange] | None = None

    def follow(self, replacements: RowSteps) -> None:
        """Set what replaces the states of some rows from the next pass on, after their own replacements."""
        self._followed = replacements

    def at_prompts(self, hidden: Tensor) -> Tensor:
        """Return the states [rows, tokens, d] of prompts, changed."""
        if self._of_prompts is None or self._like is None or self._learns or not _are_alike(self._like, hidden):
            self._like = hidden.new_empty(0)
            self._of_prompts = _phase_of_prompts(self._steps, self._n_rows, hidden)
        return self._changed(hidden, self._of_prompts)

    def at_tokens(self, hidden: Tensor) -> Tensor:
        """Return the states [rows, 1, d] of the newest generated tokens, changed."""
        return self._changed(hidden, self._lasting(hidden))

    def next_token(self, n: int) -> None:
        """Prepare for a pass that reads generated token number `n` of each row, counted from 1."""
        self._of_prompts = None
        if n == 1 and self._like is not None:
            self._lasting(self._like)
        elif self._of_tokens is not None:
            for change in self._of_tokens.then:
                change.next_token()

    def kept(self, stay: Sequence[int], index: Tensor) -> "SiteChanges":
        """Return the changes of the rows `stay` alone, in this order; `index` has the same on their device."""
        place = {old: new for new, old in enumerate(stay)}
        kept = SiteChanges([(place[row], step) for row, step in self._steps if row in place], len(stay))
        kept._like = self._like
        if self._of_tokens is not None and kept._steps:
            first, then = (
                [c.kept(stay, index) for c in part] for part in (self._of_tokens.first, self._of_tokens.then)
            )
            kept._of_tokens = _Phase(first, then)
        return kept

    def _lasting(self, like: Tensor) -> _Phase[LastingChange]:
        if self._of_tokens is None:
            self._of_tokens = _phase_of_tokens(self._steps, self._n_rows, like)
        return self._of_tokens

    def _changed(self, hidden: Tensor, phase: _Phase[Change] | _Phase[LastingChange]) -> Tensor:
        if self._n_rows is not None and len(hidden) != self._n_rows:
            raise ValueError(f"interventions for {self._n_rows} rows met a batch of {len(hidden)}")
        followed = _phase_of_prompts(self._followed, self._n_rows, hidden).first if self._followed else []
        for change in (*phase.first, *followed, *phase.then):
            hidden = change(hidden)
        return hidden


def _are_alike(one: Tensor, other: Tensor) -> bool:
    """Return whether tensors that were made for one can be used with the other, also where gradients are computed."""
    return one.device == other.device and one.dtype == other.dtype and one.is_inference() == other.is_inference()


def _phase_of_prompts(steps: RowSteps, n_rows: int | None, like: Tensor) -> _Phase[Change]:
    def placed(layer: _Layer) -> Iterator[Change]:
        yield from _everywhere(layer, n_rows, like)
        yield from _at_places(layer, n_rows, like)

    return _phase(steps, placed, lambda layer: _rewritten(layer, n_rows, like))


def _phase_of_tokens(steps: RowSteps, n_rows: int | None, like: Tensor) -> _Phase[LastingChange]:
    def placed(layer: _Layer) -> Iterator[LastingChange]:
        yield from _everywhere(layer, n_rows, like)
        yield from _by_token(layer, n_rows, like)

    return _phase(steps, placed, lambda layer: _rewritten(layer, n_rows, like))


def _phase(
    steps: RowSteps,
    placed: Callable[[_Layer], Iterator[C]],
    rewritten: Callable[[Sequence[tuple[int, Rewrite]]], Iterator[C]],
) -> _Phase[C]:
    then = _of_layers(steps, Rewrite, rewritten) + _of_layers(steps, Add, placed)
    return _Phase(_of_layers(steps, Replace, placed), then)


def _of_layers(steps: RowSteps, kind: type[S], of: Callable[[Sequence[tuple[int, S]]], Iterator[C]]) -> list[C]:
    """Return the changes of all steps of a kind, layer by layer."""
    layers: list[list[tuple[int, S]]] = []
    counts: dict[int, int] = {}
    for row, step in steps:
        if isinstance(step, kind):
            counts[row] = counts.get(row, -1) + 1
            if counts[row] == len(layers):
                layers.append([])
            layers[counts[row]].append((row, step))
    return [change for layer in layers for change in of(layer)]


def _everywhere(layer: _Layer, n_rows: int | None, like: Tensor) -> Iterator[Added | Replaced]:
    """Yield the change by the steps of a layer that act at all tokens, if there are any."""
    steps = [(row, step) for row, step in layer if step.positions is None]
    if not steps:
        return
    rows = torch.tensor([row for row, _ in steps], device=like.device)
    given = _together([step.vectors.reshape(1, -1) for _, step in steps], like)
    shape = (n_rows or 1, 1, given.shape[-1])
    if isinstance(steps[0][1], Add):
        yield Added(like.new_full(shape, _NOTHING).index_copy(0, rows, given[:, None]))
    else:
        chosen = torch.zeros(shape[0], 1, 1, dtype=torch.bool, device=like.device).index_fill(0, rows, True)
        yield Replaced(like.new_zeros(shape).index_copy(0, rows, given[:, None]), chosen)


def _at_places(layer: _Layer, n_rows: int | None, like: Tensor) -> Iterator[AtPlaces]:
    """Yield the change by the steps of a layer that act at some tokens of the prompt, if there are any."""
    steps = [(row, step, step.positions) for row, step in layer if step.positions]
    if not steps:
        return
    rows = torch.tensor([row for row, _, positions in steps for _ in positions], device=like.device)
    columns = torch.tensor([position for *_, positions in steps for position in positions], device=like.device)
    given = _together([step.vectors.expand(len(positions), -1) for _, step, positions in steps], like)
    named = frozenset(positions for *_, positions in steps)
    yield AtPlaces(isinstance(steps[0][1], Add), None if n_rows is None else rows, columns, given, named)


def _by_token(layer: _Layer, n_rows: int | None, like: Tensor) -> Iterator[AddedByToken]:
    """Yield the change by the steps of a layer that have vectors for generated tokens, if there are any."""
    steps = [(row, step.generated) for row, step in layer if isinstance(step, Add) and step.positions is not None]
    given = [(row, vectors) for row, vectors in steps if vectors is not None and len(vectors)]
    if not given:
        return
    assert n_rows is not None
    n = sum(len(vectors) for _, vectors in given)
    places = torch.full((1 + max(len(vectors) for _, vectors in given), n_rows), n)
    start = 0
    for row, vectors in given:
        places[: len(vectors), row] = torch.arange(start, start + len(vectors))
        start += len(vectors)
    nothing = torch.full_like(given[0][1][:1], _NOTHING)
    together = _together([*(vectors for _, vectors in given), nothing], like)
    yield AddedByToken(together, places.to(like.device), torch.zeros(1, dtype=torch.long, device=like.device))


def _rewritten(layer: Sequence[tuple[int, Rewrite]], n_rows: int | None, like: Tensor) -> Iterator[Rewritten]:
    """Yield the changes by the functions of a layer, each with its rows."""
    for by in dict.fromkeys(step.by for _, step in layer):
        rows = [row for row, step in layer if step.by == by]
        yield Rewritten(by, None, None) if n_rows is None else Rewritten.of(by, rows, like.device)


def _together(vectors: Sequence[Tensor], like: Tensor) -> Tensor:
    """Return vectors [n, d] each as one tensor of the device and the type of others."""
    one_device = len({each.device for each in vectors}) == 1
    same = [each.to(like.dtype) if one_device else each.to(like) for each in vectors]
    return torch.cat(same).to(like.device)
