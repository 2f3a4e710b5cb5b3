"""The two numbers of a mapper, `carried` and `fitted`, over all cells that count and over parts of them.

Both are a pooled transfer times 100: what mapped adds to the baseline over what native adds, summed over the prompts of
the steerable cells. `fitted` is over the track `task`. `carried` is over the tracks `unseen` and `general` together,
and over no other prompts than those on which native succeeds and memory does not.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from graftbench.benchmark.metrics.pooled import Part, Pooled
from graftbench.benchmark.results.draws import Draws
from graftbench.benchmark.results.estimates import draws_of
from graftbench.benchmark.results.pooling import Place, Pooling, by_place, place_of
from graftbench.benchmark.results.schema import CellResult, Entry, Score
from graftbench.benchmark.results.scores import FITTED_TRACK, counts, no_score, reason_for_none, score_of_pooled
from graftbench.leaderboard.scoring import Scoring

CARRIED, FITTED = "carried", "fitted"
TRACKS = {CARRIED: ("unseen", "general"), FITTED: (FITTED_TRACK,)}
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
    def score(self) -> Score:
        """The score with its interval, or with the reason why there is none."""
        return self._score(self.parts.values())

    def by(self, part_of: Callable[[CellResult], str]) -> dict[str, dict[str, Any]]:
        """Return the score of each part of the cells, by name."""
        named: dict[str, list[Part]] = {}
        for place, part in self.parts.items():
            named.setdefault(part_of(self.cells[place][0]), []).append(part)
        return {name: self._score(parts).model_dump() for name, parts in named.items()}

    def _score(self, parts: Iterable[Part]) -> Score:
        own = list(parts)
        if self.reason is not None:
            return no_score(self.reason)
        return score_of_pooled(self.pooled if len(own) == len(self.parts) else self.pooling.pool(own))

    @cached_property
    def bits(self) -> tuple[tuple[Draws, ...], ...]:
        """All successes: two mappers that have the same count once."""
        return tuple(tuple(draws_of(cell.bits, "mapped") for cell in cells) for cells in self.cells.values())


def memory_of(entries: Iterable[Entry], scoring: Scoring) -> Memory | str:
    """Return the prompts on which any mapper of the memory succeeds with any seed, or why there is no memory."""
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


def scored(entry: Entry, number: str, pooling: Pooling, memory: Memory | str) -> Scored:
    """Return a mapper with one of the two numbers."""
    on_tracks = [cell for cell in entry.cells if cell.track in TRACKS[number] and not cell.check]
    why = entry.headline.reason or reason_for_none(on_tracks)
    if not on_tracks:
        why = entry.headline.reason or f"the suite has no track {' or '.join(TRACKS[number])}"
    if number == CARRIED and isinstance(memory, str):
        why = why or memory
    if why is not None:
        return Scored(entry, reason=why)
    cells = by_place(cell for cell in on_tracks if counts(cell, entry.headline.left_out))
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
