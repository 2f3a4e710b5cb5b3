"""Cells as the page shows them: reference conditions once, then each mapper, side by side."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from graftbench.benchmark.results.schema import CellResult, Entry, ShownPrompt, ShownReply
from graftbench.leaderboard.page.bars import (
    Bar,
    Spark,
    bar_of,
    bar_of_transfer,
    bar_over_seeds,
    spark_of_sweep,
    words,
)

MAPPED = "mapped"
NOISE = "matched_noise"  # with the covariance of this mapper's residual
REFERENCES = ("unsteered", "random", "random_contrast", "mean_ablated", "eraser", "native", "target_loss")
Key = tuple[str, str, str]  # task, variant, pair
EntryCells = list[tuple[Entry, CellResult]]


@dataclass(frozen=True)
class ConditionView:
    """A reference condition: its success rate, and its sweep over strengths."""

    name: str
    rate: Bar
    sweep: Spark | None


@dataclass(frozen=True)
class MapperView:
    """Results of one mapper in one cell, as the mean over its seeds."""

    mapper: str
    rate: Bar
    own_norm: Bar
    best: Bar
    noise: Bar
    transfer: Bar
    sweep: Spark | None


@dataclass(frozen=True)
class ReplyView:
    """A completion under one condition, with the mapper where the condition has one."""

    condition: str
    mapper: str | None
    reply: ShownReply


@dataclass(frozen=True)
class ExampleView:
    """A test prompt with its completion under each condition."""

    prompt: str
    reference: str | None
    replies: tuple[ReplyView, ...]


@dataclass(frozen=True)
class TrackView:
    """One experiment on one fit track, with all mappers."""

    track: str
    steerable: bool
    reason: str
    baseline: str
    n_prompts: int
    references: tuple[ConditionView, ...]
    mappers: tuple[MapperView, ...]
    has_noise: bool  # matched noise takes the place of other norms
    examples: tuple[ExampleView, ...]


@dataclass(frozen=True)
class ExperimentView:
    """One variant on one pair, on its tracks."""

    task: str
    variant: str
    pair: str
    check: bool
    sites: str
    tracks: tuple[TrackView, ...]

    @property
    def steerable(self) -> bool:
        """True where it can be steered on any track."""
        return any(track.steerable for track in self.tracks)


def experiments(entries: Sequence[Entry]) -> list[ExperimentView]:
    """Return every experiment of the suite, in its order."""
    by_key: dict[Key, dict[str, EntryCells]] = {}
    for entry in entries:
        for cell in entry.cells:
            tracks = by_key.setdefault((cell.task, cell.variant, cell.pair), {})
            tracks.setdefault(cell.track, []).append((entry, cell))
    return [_experiment(key, tracks) for key, tracks in by_key.items()]


def _experiment(key: Key, tracks: dict[str, EntryCells]) -> ExperimentView:
    first = next(iter(tracks.values()))[0][1]
    sites = f"{first.sites[0]} and {first.sites[1]}" if first.sites else "chosen by the task"
    views = tuple(_track(track, cells) for track, cells in tracks.items())
    return ExperimentView(*key, check=first.check, sites=sites, tracks=views)


def _track(track: str, cells: EntryCells) -> TrackView:
    successful = [(entry, cell) for entry, cell in cells if cell.status == "ok"]
    first = successful[0][1] if successful else cells[0][1]
    names = [name for name in REFERENCES if name in first.rates and (name in first.bits or first.rates[name].reason)]
    return TrackView(
        track,
        bool(first.steerable),
        words(first.reason),
        first.transfer.baseline if first.transfer else "random",
        first.n_prompts or 0,
        tuple(
            ConditionView(name, bar_of(first.rates[name]), spark_of_sweep([first.sweep.get(name, [])]))
            for name in names
        ),
        tuple(_mapper(name, of_mapper) for name, of_mapper in _by_mapper(cells).items()),
        NOISE in first.bits,
        tuple(_examples(successful)),
    )


def _by_mapper(cells: EntryCells) -> dict[str, list[CellResult]]:
    """Group cells by mapper, whose names are unique; those of one mapper differ in its seed."""
    mappers: dict[str, list[CellResult]] = {}
    for entry, cell in cells:
        mappers.setdefault(entry.mapper.name, []).append(cell)
    return mappers


def _mapper(name: str, cells: Sequence[CellResult]) -> MapperView:
    failed = [cell for cell in cells if cell.status != "ok"]
    if failed:
        seed = f"seed {failed[0].seed} " if len(cells) > 1 else ""
        bar = Bar("-", reason=f"{seed}{failed[0].status}: {failed[0].reason}")
        return MapperView(name, bar, bar, bar, bar, bar, None)
    mapped, own_norm, best, noise = (
        bar_over_seeds([bar_of(cell.rates.get(condition)) for cell in cells])
        for condition in (MAPPED, "mapped_own_norm", "mapped_best", NOISE)
    )
    transfer = bar_over_seeds([bar_of_transfer(cell.transfer) for cell in cells])
    sweep = spark_of_sweep([cell.sweep.get(MAPPED, []) for cell in cells])
    return MapperView(name, mapped, own_norm, best, noise, transfer, sweep)


def _examples(successful: EntryCells) -> Iterator[ExampleView]:
    """Yield the examples of the first seed of each mapper, prompt by prompt."""
    by_mapper = [(name, {one.item: one for one in cells[0].examples}) for name, cells in _by_mapper(successful).items()]
    for item, example in next((examples for _, examples in by_mapper if examples), {}).items():
        references = [ReplyView(name, None, example.said[name]) for name in REFERENCES if name in example.said]
        mapped = [
            ReplyView(MAPPED, name, reply) for name, known in by_mapper if (reply := _mapped_reply(known.get(item)))
        ]
        yield ExampleView(example.prompt, example.reference, (*references, *mapped))


def _mapped_reply(example: ShownPrompt | None) -> ShownReply | None:
    return example.said.get(MAPPED) if example else None
