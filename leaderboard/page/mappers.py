"""Mappers as the page shows them: a ranking for each fit track, and a card for each mapper."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graftbench.benchmark.results.schema import SCHEMA_VERSION, Entry, Score
from graftbench.leaderboard.columns import fidelity, side_effects
from graftbench.leaderboard.page.bars import Bar, bar_of_score, words

TRACKS = {
    "task": "fitted on the task's own conversations, as in the paper: native's own rows are among them, so that a high "
    "score here shows a good fit, and does not show that a map carries what it has not seen",
    "unseen": "fitted on the task's conversations without any prompt that shows the behaviour: the mapper never saw "
    "what it is asked to carry",
    "general": "fitted on general text, in which the behaviour does not show",
}
# Mappers that are compared with rather than put forward; the page says next to their names what they do.
CONTROLS = {
    "zero": "maps everything to zero",
    "mean": "always the target's mean activation",
    "identity": "cuts or pads, and maps nothing",
    "random_map": "a random map",
    "shuffled": "fitted on rows that do not belong together, so it knows the distribution of the target's activations",
    "lookup": "nearest neighbour: the target's activation at the closest fit row",
}


@dataclass(frozen=True)
class Standing:
    """One mapper on one fit track."""

    rank: int | None
    mapper: str
    control: str  # what it does; empty where it is no control
    score: Bar
    sort_key: float
    tasks: tuple[Bar, ...]
    steerable: str
    fidelity: Mapping[str, float | None]
    parameters: int
    old_schema: bool


@dataclass(frozen=True)
class Ranking:
    """The mappers on one fit track, best first."""

    track: str
    tasks: tuple[str, ...]
    lookup: Mapping[str, Any] | None  # the scores of the look-up table; None where it has no entry
    standings: tuple[Standing, ...]


@dataclass(frozen=True)
class Effect:
    """Mean side effects of one condition in one setting, and the number of cells."""

    setting: str
    condition: str
    tasks: Mapping[str, float | None]
    kl: float | None
    perplexity: float | None
    cells: int


@dataclass(frozen=True)
class Card:
    """One mapper in detail."""

    name: str
    control: str
    facts: tuple[tuple[str, str], ...]
    scores: tuple[tuple[str, Bar, tuple[Bar, ...]], ...]  # track, score, and by task
    tasks: tuple[str, ...]
    effects: tuple[Effect, ...]
    effect_tasks: tuple[str, ...]


def rankings(ranking: Mapping[str, Any], entries: Sequence[Entry]) -> list[Ranking]:
    """Return the rankings of a suite, one for each fit track."""
    by_mapper = {(entry.mapper.name, entry.mapper.sha256): entry for entry in entries}
    tracks = ranking["tracks"]
    order = [*TRACKS, *sorted(tracks.keys() - TRACKS.keys())]
    return [_ranking(track, tracks[track], by_mapper) for track in order if track in tracks]


def _ranking(track: str, rows: Sequence[Mapping[str, Any]], entries: Mapping[tuple[str, str], Entry]) -> Ranking:
    tasks = tuple(rows[0]["by_task"])
    standings = [_standing(row, entries[row["mapper"], row["sha256"]], track, tasks) for row in rows]
    return Ranking(track, tasks, rows[0].get("lookup"), tuple(standings))


def _standing(row: Mapping[str, Any], entry: Entry, track: str, tasks: Sequence[str]) -> Standing:
    score = entry.headline.by_track[track]
    return Standing(
        row["rank"],
        entry.mapper.name,
        CONTROLS.get(entry.mapper.source, ""),
        bar_of_score(score),
        -1e9 if score.score is None else score.score,
        _task_bars(score, tasks),
        f"{score.n_steerable} of {score.n_cells}",
        row["fidelity"],
        row["cost"]["parameters"],
        entry.schema_version != SCHEMA_VERSION,
    )


def _task_bars(score: Score, tasks: Sequence[str]) -> tuple[Bar, ...]:
    return tuple(bar_of_score(score.by_task[task]) if task in score.by_task else Bar("-") for task in tasks)


def card(entry: Entry) -> Card:
    """Return the card of one mapper."""
    tasks = tuple(entry.headline.by_task)
    tracks = {"all cells": entry.headline, **entry.headline.by_track}
    effects = [
        Effect(setting, condition, effect["tasks"], effect["kl"], effect["perplexity"], effect["cells"])
        for setting, conditions in side_effects([cell for cell in entry.cells if not cell.check]).items()
        for condition, effect in conditions.items()
    ]
    return Card(
        entry.mapper.name,
        CONTROLS.get(entry.mapper.source, ""),
        tuple(_facts(entry)),
        tuple((track, bar_of_score(score), _task_bars(score, tasks)) for track, score in tracks.items()),
        tasks,
        tuple(effects),
        tuple(sorted({name for effect in effects for name in effect.tasks})),
    )


def _facts(entry: Entry) -> list[tuple[str, str]]:
    mapper, cells = entry.mapper, [cell for cell in entry.cells if not cell.check]
    costs = [cell.cost for cell in cells if cell.cost is not None]
    facts = [
        ("source", mapper.source),
        ("hash of the source", mapper.sha256[:16]),
        ("options", ", ".join(f"{name}={value}" for name, value in mapper.options.items()) or "as they come"),
        ("vectors are carried by", words(mapper.vector_rule)),
        ("seeds", "1 (deterministic)" if mapper.deterministic else str(len({cell.seed for cell in cells}))),
    ]
    if costs:
        low, high = (extreme(cost.parameters for cost in costs) for extreme in (min, max))
        facts += [("parameters", f"{low:,} to {high:,}"), ("bytes, at most", f"{max(c.bytes for c in costs):,}")]
    figures = [f"{name} {value:.3f}" for name, value in fidelity(cells).items() if value is not None]
    if figures:
        facts.append(("predicted activations", ", ".join(figures)))
    packages = ", ".join(
        f"{name} {entry.environment[name]}" for name in ("torch", "transformers") if name in entry.environment
    )
    return [*facts, ("scored with", f"graftbench {entry.graftbench_version}{', ' + packages if packages else ''}")]
