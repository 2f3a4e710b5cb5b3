"""The cells of all mappers side by side: what they share once, and then what each mapper's vector did."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from graftbench.benchmark.results.schema import CellResult, Entry, ShownPrompt, ShownReply
from graftbench.leaderboard.page.bars import Bar, Spark, of_rate, of_transfer, over_seeds, spark, words

MAPPED = "mapped"
NOISE = "matched_noise"  # as large as what this mapper leaves unexplained
SHARED = ("unsteered", "random", "random_contrast", "mean_ablated", "native")
Key = tuple[str, str, str]  # task, variant, pair


@dataclass(frozen=True)
class ConditionView:
    """A condition that no mapper has a part in: its success, and over the strengths that were tried."""

    name: str
    rate: Bar
    swept: Spark | None


@dataclass(frozen=True)
class Mapped:
    """What one mapper's vector did in one cell, in the mean over its seeds."""

    mapper: str
    rate: Bar
    own_norm: Bar
    best: Bar
    noise: Bar
    transfer: Bar
    swept: Spark | None


@dataclass(frozen=True)
class Speech:
    """What was said under one condition, by which mapper where one has a part in it."""

    name: str
    mapper: str | None
    said: ShownReply


@dataclass(frozen=True)
class Exchange:
    """A test prompt with what was said to it under each condition."""

    prompt: str
    reference: str | None
    speeches: tuple[Speech, ...]


@dataclass(frozen=True)
class OnTrack:
    """One cell on one fit track, over all mappers."""

    track: str
    steerable: bool
    reason: str
    baseline: str
    n_prompts: int
    shared: tuple[ConditionView, ...]
    mapped: tuple[Mapped, ...]
    noise: bool  # whether noise was put in the place of what mappers leave unexplained
    exchanges: tuple[Exchange, ...]


@dataclass(frozen=True)
class ExperimentView:
    """One variant on one pair, on its tracks."""

    task: str
    variant: str
    pair: str
    check: bool
    sites: str
    tracks: tuple[OnTrack, ...]

    @property
    def steerable(self) -> bool:
        """Whether it can be steered on any track."""
        return any(one.steerable for one in self.tracks)


def experiments(entries: Sequence[Entry]) -> list[ExperimentView]:
    """Every experiment of the suite, in its order."""
    by_key: dict[Key, dict[str, list[tuple[Entry, CellResult]]]] = {}
    for entry in entries:
        for cell in entry.cells:
            tracks = by_key.setdefault((cell.task, cell.variant, cell.pair), {})
            tracks.setdefault(cell.track, []).append((entry, cell))
    return [_experiment(key, tracks) for key, tracks in by_key.items()]


def _experiment(key: Key, tracks: dict[str, list[tuple[Entry, CellResult]]]) -> ExperimentView:
    first = next(iter(tracks.values()))[0][1]
    sites = f"{first.sites[0]} and {first.sites[1]}" if first.sites else "chosen by the task"
    on_tracks = tuple(_on_track(track, found) for track, found in tracks.items())
    return ExperimentView(*key, check=first.check, sites=sites, tracks=on_tracks)


def _on_track(track: str, found: Sequence[tuple[Entry, CellResult]]) -> OnTrack:
    well = [(entry, cell) for entry, cell in found if cell.status == "ok"]
    one = well[0][1] if well else found[0][1]
    baseline = one.transfer.baseline if one.transfer else "random"
    names = [name for name in SHARED if name in one.rates and (name in one.bits or one.rates[name].reason)]
    return OnTrack(
        track,
        bool(one.steerable),
        words(one.reason),
        baseline,
        one.n_prompts or 0,
        tuple(ConditionView(name, of_rate(one.rates[name]), spark([one.sweep.get(name, [])])) for name in names),
        tuple(_mapped(name, cells) for name, cells in _by_mapper(found).items()),
        NOISE in one.bits,
        tuple(_exchanges(well)),
    )


def _by_mapper(found: Sequence[tuple[Entry, CellResult]]) -> dict[str, list[CellResult]]:
    """The cells of each mapper, which differ in its seed; no two mappers have the same name."""
    mappers: dict[str, list[CellResult]] = {}
    for entry, cell in found:
        mappers.setdefault(entry.mapper.name, []).append(cell)
    return mappers


def _mapped(mapper: str, cells: Sequence[CellResult]) -> Mapped:
    wrong = [cell for cell in cells if cell.status != "ok"]
    if wrong:
        seed = f"seed {wrong[0].seed} " if len(cells) > 1 else ""
        failed = Bar("-", reason=f"{seed}{wrong[0].status}: {wrong[0].reason}")
        return Mapped(mapper, failed, failed, failed, failed, failed, None)
    mapped, own, best, noise = (
        over_seeds([of_rate(cell.rates.get(name)) for cell in cells])
        for name in (MAPPED, "mapped_own_norm", "mapped_best", NOISE)
    )
    transfer = over_seeds([of_transfer(cell.transfer) for cell in cells])
    return Mapped(mapper, mapped, own, best, noise, transfer, spark([cell.sweep.get(MAPPED, []) for cell in cells]))


def _exchanges(well: Sequence[tuple[Entry, CellResult]]) -> Iterator[Exchange]:
    """What was said, of each mapper's first seed."""
    told = [(name, {one.item: one for one in cells[0].examples}) for name, cells in _by_mapper(well).items()]
    for item, example in next((known for _, known in told if known), {}).items():
        shared = [Speech(name, None, example.said[name]) for name in SHARED if name in example.said]
        own = [Speech(MAPPED, name, said) for name, known in told if (said := _said(known.get(item)))]
        yield Exchange(example.prompt, example.reference, (*shared, *own))


def _said(example: ShownPrompt | None) -> ShownReply | None:
    return example.said.get(MAPPED) if example else None
