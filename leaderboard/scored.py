"""The two numbers of a mapper, `carried` and `fitted`, over all cells that count and over parts of them.

Both are a pooled transfer times 100: what mapped adds to the baseline over what native adds, summed over the prompts of
the steerable cells. `fitted` is over the track `task`. `carried` is over the tracks `unseen` and `general` together,
and over no other prompts than those on which native succeeds and memory does not.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import isinf
from typing import Any

from graftbench.benchmark.metrics.pooled import Part, Pooled
from graftbench.benchmark.metrics.ratio import interval_of
from graftbench.benchmark.results.draws import Draws
from graftbench.benchmark.results.estimates import draws_of
from graftbench.benchmark.results.pooling import Place, Pooling, by_place, place_of
from graftbench.benchmark.results.schema import CellResult, Entry
from graftbench.benchmark.results.scores import reason_for_none
from graftbench.leaderboard.scoring import Scoring

CARRIED, FITTED = "carried", "fitted"
NO_LEADERBOARD = "it needs the entries of memory, which only a leaderboard has"
TRACKS = {CARRIED: ("unseen", "general"), FITTED: ("task",)}
Memory = Mapping[Place, Mapping[str, bool]]  # by cell and prompt: whether memory succeeds


@dataclass(frozen=True, eq=False)
class Scored:
    """One mapper with one of the two numbers, or the reason why it has none."""

    entry: Entry
    cells: Mapping[Place, list[CellResult]] = field(default_factory=dict, repr=False)
    counted: Mapping[Place, Draws | None] = field(default_factory=dict, repr=False)  # prompts; None: all of the cell
    parts: Mapping[Place, Part] = field(default_factory=dict, repr=False)
    pooling: Pooling = field(default_factory=Pooling, repr=False)
    reason: str | None = None

    @cached_property
    def pooled(self) -> Pooled:
        """The transfer over all its cells."""
        return self.pooling.pool(list(self.parts.values()))

    @cached_property
    def figure(self) -> dict[str, Any]:
        """The score with its interval, or with the reason why there is none."""
        return self._figure(self.parts.values())

    def by(self, part_of: Callable[[CellResult], str]) -> dict[str, dict[str, Any]]:
        """Return the score of each part of the cells, by name."""
        named: dict[str, list[Part]] = {}
        for place, part in self.parts.items():
            named.setdefault(part_of(self.cells[place][0]), []).append(part)
        return {name: self._figure(parts) for name, parts in named.items()}

    def _figure(self, parts: Iterable[Part]) -> dict[str, Any]:
        own = list(parts)
        if self.reason is not None:
            return no_figure(self.reason)
        pooled = self.pooled if len(own) == len(self.parts) else self.pooling.pool(own)
        return figure_of(pooled)

    @cached_property
    def bits(self) -> tuple[tuple[Draws, ...], ...]:
        """All successes: two mappers that have the same count once."""
        return tuple(tuple(draws_of(cell.bits, "mapped") for cell in cells) for cells in self.cells.values())


def figure_of(pooled: Pooled) -> dict[str, Any]:
    """Return a pooled transfer times 100 with its interval, and how many prompts and cells it is over."""
    n = {"n_cells": len(pooled.parts), "n_prompts": round(pooled.references.possible * pooled.references.n_prompts)}
    if pooled.gain <= 0:
        return no_figure("memory does all that native does") | n
    low, high = (None if isinf(limit) else round(100 * limit, 4) for limit in interval_of(pooled))
    if low is None or high is None:
        return no_figure("native's gain may be nothing") | n
    return {"score": round(100 * pooled.value, 4), "low": low, "high": high, "reason": None} | n


def no_figure(reason: str) -> dict[str, Any]:
    """Return a score that is missing."""
    return {"score": None, "low": None, "high": None, "reason": reason}


def memory_of(entries: Iterable[Entry], scoring: Scoring | None) -> Memory | str:
    """Return the prompts on which any mapper of the memory succeeds with any seed, or why there is no memory.

    There is no scoring where the entries are those of runs alone.
    """
    if scoring is None:
        return NO_LEADERBOARD
    sources = {entry.mapper.source: entry for entry in entries}
    if not scoring.memory:
        return "no memory is named for this suite"
    missing = [name for name in scoring.memory if name not in sources]
    if missing:
        return f"there is no entry of {missing[0]}, which is part of the memory"
    known: dict[Place, dict[str, bool]] = {}
    for cell in (cell for name in scoring.memory for cell in sources[name].cells if "mapped" in cell.bits):
        prompts = known.setdefault(place_of(cell), {})
        for item, bit in zip(cell.prompt_ids, draws_of(cell.bits, "mapped").strings[0], strict=True):
            prompts[item] = prompts.get(item, False) or bit == "1"
    return known


def scored(entry: Entry, number: str, scoring: Scoring, pooling: Pooling, memory: Memory | str) -> Scored:
    """Return a mapper with one of the two numbers."""
    on_tracks = [cell for cell in entry.cells if cell.track in TRACKS[number] and not cell.check]
    why = entry.headline.reason or reason_for_none(on_tracks)
    if not on_tracks:
        why = f"the suite has no track {' or '.join(TRACKS[number])}"
    if number == CARRIED and isinstance(memory, str):
        why = why or memory
    if why is not None:
        return Scored(entry, reason=why)
    cells = by_place(cell for cell in on_tracks if scoring.counts(cell))
    if not cells:
        return Scored(entry, reason="no cell that counts can be steered")
    counted = {place: _counted(seeds[0], memory) if number == CARRIED else None for place, seeds in cells.items()}
    parts = {place: pooling.part(seeds, counted[place]) for place, seeds in cells.items()}
    return Scored(entry, cells, counted, parts, pooling)


def _counted(cell: CellResult, memory: Memory | str) -> Draws:
    """Return the prompts on which native succeeds and memory does not; a prompt that memory lacks does not count."""
    assert not isinstance(memory, str)
    known, native = memory.get(place_of(cell), {}), draws_of(cell.bits, "native").strings[0]
    pairs: Sequence[tuple[str, str]] = list(zip(cell.prompt_ids, native, strict=True))
    return Draws(["".join("1" if bit == "1" and known.get(item) is False else "0" for item, bit in pairs)])
