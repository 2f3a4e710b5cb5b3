"""From the cells of a mapper to its transfer over all of them, or in one of them."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from graftbench.benchmark.metrics.pooled import Bits, Floats, Part, Pooled, PooledReferences, References
from graftbench.benchmark.results.draws import Draws
from graftbench.benchmark.results.estimates import draws_of
from graftbench.benchmark.results.schema import CellResult

RANDOM = "random"  # the baseline where a vector is carried; elsewhere native is a direct patch
Place = tuple[str, str, str, str]  # task, variant, pair, track
Counted = Callable[[CellResult], Draws | None]  # the prompts of a cell that count, as bits of one draw; None: all


class _Layout(NamedTuple):
    """The clusters of a cell's prompts: the number of each among all clusters, and prompts by cluster as 0 and 1."""

    numbers: np.ndarray  # [clusters]
    member: Bits  # [prompts, clusters]


@dataclass(eq=False)
class Pooling:
    """Pools cells of one suite, whose clusters of prompts are known by name; what cells share is summed once."""

    numbers: dict[str, int] = field(default_factory=dict)
    layouts: dict[tuple[str, ...], _Layout] = field(default_factory=dict, repr=False)
    references: dict[tuple[object, ...], References] = field(default_factory=dict, repr=False)
    parts: dict[tuple[object, ...], Part] = field(default_factory=dict, repr=False)
    pooled: dict[tuple[int, ...], PooledReferences] = field(default_factory=dict, repr=False)

    @classmethod
    def over(cls, cells: Iterable[CellResult]) -> "Pooling":
        """Return what pools these cells and no others."""
        sets = {id(cell.clusters): cell.clusters for cell in cells}
        names = dict.fromkeys(name for clusters in sets.values() for name in clusters)
        return cls({name: i for i, name in enumerate(names)})

    def part(self, seeds: Sequence[CellResult], counted: Draws | None, condition: str = "mapped") -> Part:
        """Return one cell of a mapper, given its result with each seed; `counted` are the prompts that count.

        Where native is a direct patch, a mapper is no better than native on the whole: it may lose a trigger, and so
        succeed without carrying anything.
        """
        first = seeds[0]
        assert first.transfer is not None
        native, baseline = draws_of(first.bits, "native"), draws_of(first.bits, first.transfer.baseline)
        references = self._references(first.clusters, native, baseline, counted)
        fit = (first.pair, first.sites, first.training.data_hash if first.training else None)
        draws = tuple(draws_of(cell.bits, condition) for cell in seeds)
        key = (id(references), fit, draws)
        if key not in self.parts:
            weight = 1.0 if counted is None else counted.array[0]
            mapped, own = np.concatenate([each.array for each in draws]) * weight, native.array * weight
            if first.transfer.baseline != RANDOM and mapped.mean() > own.mean():
                mapped = np.repeat(own, len(seeds), axis=0)
            self.parts[key] = self._part(references, first.clusters, fit, mapped)
        return self.parts[key]

    def alone(self, clusters: Sequence[str], mapped: Draws, native: Draws, baseline: Draws) -> Pooled:
        """Return the transfer in one cell with one seed; a mapper may be better than native there."""
        references = self._references(clusters, native, baseline, None)
        return self.pool([self._part(references, clusters, None, mapped.array)])

    def _part(self, references: References, clusters: Sequence[str], fit: Hashable, mapped: Bits) -> Part:
        return Part(references, fit, mapped.sum(1), _centred(mapped) @ self._layout(clusters).member)

    def _layout(self, clusters: Sequence[str]) -> _Layout:
        key = tuple(clusters)
        if key not in self.layouts:
            own = {name: i for i, name in enumerate(dict.fromkeys(key))}
            member = np.zeros((len(key), len(own)))
            member[range(len(key)), [own[name] for name in key]] = 1
            self.layouts[key] = _Layout(np.array([self.numbers[name] for name in own]), member)
        return self.layouts[key]

    def _references(self, clusters: Sequence[str], native: Draws, baseline: Draws, counted: Draws | None) -> References:
        layout = self._layout(clusters)
        key = (id(layout), native, baseline, counted)
        if key not in self.references:
            n = len(clusters)
            weight = np.ones(n) if counted is None else counted.array[0]
            of_native, of_baseline = native.array * weight, baseline.array * weight
            self.references[key] = References(
                layout.numbers,
                n,
                weight @ layout.member,
                float(of_native.sum()),
                of_baseline.sum(1),
                (_centred(of_native) @ layout.member)[0],
                _centred(of_baseline) @ layout.member,
                baseline,
            )
        return self.references[key]

    def pool(self, parts: Sequence[Part]) -> Pooled:
        """Return the transfer over some cells."""
        key = tuple(id(part.references) for part in parts)
        if key not in self.pooled:
            self.pooled[key] = PooledReferences(tuple(part.references for part in parts), len(self.numbers))
        return Pooled(self.pooled[key], tuple(parts))


def _centred(bits: Bits) -> Floats:
    return np.asarray(bits - bits.mean(1, keepdims=True))


def place_of(cell: CellResult) -> Place:
    """Return what the seeds of a cell have in common."""
    return cell.task, cell.variant, cell.pair, cell.track


def by_place(cells: Iterable[CellResult]) -> dict[Place, list[CellResult]]:
    """Group cells that differ in the mapper's seed alone, on the prompts that all seeds have."""
    groups: dict[Place, list[CellResult]] = {}
    for cell in cells:
        groups.setdefault(place_of(cell), []).append(cell)
    return {place: _aligned(seeds) for place, seeds in groups.items()}


def _aligned(seeds: list[CellResult]) -> list[CellResult]:
    first = seeds[0].prompt_ids
    if all(cell.prompt_ids is first or cell.prompt_ids == first for cell in seeds):
        return seeds
    shared = set(first).intersection(*(cell.prompt_ids for cell in seeds))
    return [_reduced(cell, [item for item in first if item in shared]) for cell in seeds]


def _reduced(cell: CellResult, items: Sequence[str]) -> CellResult:
    """Return a cell with only some of its prompts, in this order."""
    at = {item: i for i, item in enumerate(cell.prompt_ids)}
    kept = [at[item] for item in items]
    return cell.model_copy(
        update={
            "prompt_ids": list(items),
            "clusters": [cell.clusters[i] for i in kept],
            "bits": {name: draws_of(cell.bits, name).kept(kept) for name in cell.bits},
        }
    )
