"""Mappers as the page shows them: their standing on each fit track, and a card for each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graftbench.benchmark.results.schema import SCHEMA_VERSION, Entry
from graftbench.leaderboard.columns import fidelity, side_effects
from graftbench.leaderboard.page.bars import Bar, of_score, words

TRACKS = {
    "task": "fitted on the task's own conversations, as in the paper: what a mapper keeps here may be memory",
    "unseen": "the same without any prompt that shows the behaviour: it never saw what it is asked to carry",
    "general": "fitted on harmless text of the world at large, the same for every task",
}
# What mappers of this kind show, rather than being put forward: said beside their names.
CONTROLS = {
    "zero": "carries nothing",
    "mean": "always the target's mean",
    "identity": "cuts or pads, and maps nothing",
    "random_map": "a random map",
    "shuffled": "fitted on rows that do not belong together",
    "lookup": "a look-up table: what can be had by memory",
}


@dataclass(frozen=True)
class Standing:
    """A row of a ranking."""

    rank: int | None
    mapper: str
    control: str  # what it shows; empty where it is no control
    score: Bar
    order: float  # by which it is sorted
    tasks: tuple[Bar, ...]
    steerable: str
    fidelity: Mapping[str, float | None]
    parameters: int
    old: bool  # whether it was written in an older schema


@dataclass(frozen=True)
class Ranking:
    """The mappers on one fit track, best first."""

    track: str
    tasks: tuple[str, ...]
    lookup: Mapping[str, Any] | None  # what a look-up table scores; None where it has no entry
    standings: tuple[Standing, ...]


@dataclass(frozen=True)
class Effect:
    """What one condition costs in one setting, over how many cells."""

    setting: str
    condition: str
    tasks: Mapping[str, float | None]
    kl: float | None
    perplexity: float | None
    cells: int


@dataclass(frozen=True)
class Card:
    """All about one mapper."""

    name: str
    control: str
    facts: tuple[tuple[str, str], ...]
    scores: tuple[tuple[str, Bar, tuple[Bar, ...]], ...]  # track, score, and by task
    tasks: tuple[str, ...]
    effects: tuple[Effect, ...]
    graded: tuple[str, ...]


def rankings(board: Mapping[str, Any], entries: Sequence[Entry]) -> list[Ranking]:
    """The rankings of a leaderboard."""
    known = {(entry.mapper.name, entry.mapper.sha256): entry for entry in entries}
    order = [*TRACKS, *sorted(board["tracks"].keys() - TRACKS.keys())]
    return [_ranking(track, board["tracks"][track], known) for track in order if track in board["tracks"]]


def _ranking(track: str, rows: Sequence[Mapping[str, Any]], known: Mapping[tuple[str, str], Entry]) -> Ranking:
    tasks = tuple(rows[0]["by_task"])
    standings = [_standing(row, known[row["mapper"], row["sha256"]], track, tasks) for row in rows]
    return Ranking(track, tasks, rows[0].get("lookup"), tuple(standings))


def _standing(row: Mapping[str, Any], entry: Entry, track: str, tasks: Sequence[str]) -> Standing:
    score = entry.headline.by_track[track]
    return Standing(
        row["rank"],
        entry.mapper.name,
        CONTROLS.get(entry.mapper.source, ""),
        of_score(score),
        -1e9 if score.score is None else score.score,
        tuple(of_score(score.by_task[task]) if task in score.by_task else Bar("-") for task in tasks),
        f"{score.n_steerable} of {score.n_cells}",
        row["fidelity"],
        row["cost"]["parameters"],
        entry.schema_version != SCHEMA_VERSION,
    )


def card(entry: Entry) -> Card:
    """The card of one mapper."""
    cells = [cell for cell in entry.cells if not cell.check]
    told = side_effects(cells)
    tracks = {"all cells": entry.headline, **entry.headline.by_track}
    tasks = tuple(entry.headline.by_task)
    effects = [
        Effect(setting, name, one["tasks"], one["kl"], one["perplexity"], one["cells"])
        for setting, each in told.items()
        for name, one in each.items()
    ]
    return Card(
        entry.mapper.name,
        CONTROLS.get(entry.mapper.source, ""),
        tuple(_facts(entry)),
        tuple(
            (track, of_score(s), tuple(of_score(s.by_task[task]) if task in s.by_task else Bar("-") for task in tasks))
            for track, s in tracks.items()
        ),
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
        least, most = (choose(cost.parameters for cost in costs) for choose in (min, max))
        facts += [("parameters", f"{least:,} to {most:,}"), ("bytes, at most", f"{max(c.bytes for c in costs):,}")]
    known = [f"{name} {value:.3f}" for name, value in fidelity(cells).items() if value is not None]
    if known:
        facts.append(("predicted activations", ", ".join(known)))
    packages = ", ".join(
        f"{name} {entry.environment[name]}" for name in ("torch", "transformers") if name in entry.environment
    )
    return [*facts, ("scored with", f"graftbench {entry.graftbench_version}{', ' + packages if packages else ''}")]
