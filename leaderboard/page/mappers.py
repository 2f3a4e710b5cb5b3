"""Mappers as the page shows them: a ranking for each of the two numbers, and a card for each mapper."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graftbench.benchmark.results.schema import Entry
from graftbench.leaderboard.columns import fidelity, rank_range, side_effects
from graftbench.leaderboard.page.bars import Bar, bar_of_score, words

NUMBERS = {
    "carried": "Fitted on text without the behaviour (unseen, general): of the prompts on which native succeeds and "
    "memory does not, the share on which the mapped vector does, beyond random vectors",
    "fitted": "Fitted on the task's own conversations, as in the paper: the share of native's effect, beyond random "
    "vectors. Native's own rows are among the fit data, so that a high score here shows a good fit, and does not show "
    "that a map carries what it has not seen",
}
# What the controls do; the page says so next to their names.
CONTROLS = {
    "zero": "maps everything to zero",
    "mean": "always the target's mean activation",
    "identity": "cuts or pads, and maps nothing",
    "random_map": "a random map",
    "shuffled": "fitted on rows that do not belong together, so it knows the distribution of the target's activations",
    "lookup": "nearest neighbour: the target's activation at the closest fit row",
    "knn": "nearest neighbours: the mean of the target's activations at the closest fit rows",
}
OUTCOMES = {
    "equal_norm": "at native's norm",
    "own_norm": "at its own norm",
    "all_strengths": "over all strengths",
    "best_strength": "at its best strength",
    "refusal_score": "refusal log-odds",
    "shift": "shift in log-likelihood",
}


@dataclass(frozen=True)
class Standing:
    """One mapper with one of the two numbers."""

    rank: str  # a range; empty where there is none
    best: float  # the best rank, to sort by
    mapper: str
    control: str  # what it does; empty where it is no control
    score: Bar
    sort_key: float
    null_band: str  # what a mapper of random vectors would score
    own_norm: str
    parts: tuple[Bar, ...]


@dataclass(frozen=True)
class Ranking:
    """All mappers with one of the two numbers, best first, and the controls apart."""

    number: str
    about: str
    memory: str  # the mappers that count as memory, in words; empty where memory is no part of it
    parts: tuple[str, ...]  # behaviours, and tracks where there are several
    mappers: tuple[Standing, ...]
    controls: tuple[Standing, ...]


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
class Outcomes:
    """Outcomes of one mapper beside its scores, on one track."""

    track: str
    steerable: str
    shares: tuple[float | None, ...]  # in the order of OUTCOMES
    fidelity: Mapping[str, float | None]


@dataclass(frozen=True)
class Card:
    """One mapper in detail."""

    name: str
    control: str
    facts: tuple[tuple[str, str], ...]
    scores: tuple[tuple[str, Bar, tuple[Bar, ...]], ...]  # number, score, and by task
    tasks: tuple[str, ...]
    outcomes: tuple[Outcomes, ...]
    effects: tuple[Effect, ...]
    effect_tasks: tuple[str, ...]


def rankings(ranking: Mapping[str, Any]) -> list[Ranking]:
    """Return the rankings of a suite."""
    return [_ranking(number, ranking["scores"][number], ranking["memory"]) for number in NUMBERS]


def _ranking(number: str, rows: Sequence[Mapping[str, Any]], memory: Sequence[str]) -> Ranking:
    tracks = list(dict.fromkeys(name for row in rows for name in row.get("by_track", {})))
    behaviours = list(dict.fromkeys(name for row in rows for name in row["by_behaviour"]))
    parts = (*(tracks if len(tracks) > 1 else []), *behaviours)
    standings = [_standing(row, parts) for row in rows]
    return Ranking(
        number,
        NUMBERS[number],
        ", ".join(memory) if number == "carried" else "",
        parts,
        tuple(each for each, row in zip(standings, rows, strict=True) if not row["control"]),
        tuple(each for each, row in zip(standings, rows, strict=True) if row["control"]),
    )


def _standing(row: Mapping[str, Any], parts: Sequence[str]) -> Standing:
    by = row["by_behaviour"] | row.get("by_track", {})
    own = row["norms"]["own_norm"]
    return Standing(
        rank_range(row["rank"]) if row["rank"] else "",
        row["rank"][0] if row["rank"] else 1e9,
        row["mapper"],
        _control(row),
        bar_of_score(row),
        -1e9 if row["score"] is None else row["score"],
        "–" if row["score"] is None else f"{row['null_low']:z.1f} to {row['null_high']:z.1f}",
        "–" if own is None else f"{own:z.1f}",
        tuple(bar_of_score(by.get(part)) for part in parts),
    )


def _control(row: Mapping[str, Any]) -> str:
    """Return what a control does; nothing of a mapper that is none."""
    return CONTROLS.get(row["mapper"], "part of the memory") if row["control"] else ""


def cards(ranking: Mapping[str, Any], entries: Sequence[Entry]) -> list[Card]:
    """Return the card of each mapper, in the order of the first ranking."""
    by_mapper = {(entry.mapper.name, entry.mapper.sha256): entry for entry in entries}
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for number in NUMBERS:
        for row in ranking["scores"][number]:
            rows.setdefault((row["mapper"], row["sha256"]), {})[number] = row
    beside = {(row["mapper"], row["sha256"]): row["tracks"] for row in ranking["mappers"]}
    return [_card(by_mapper[key], own, beside[key]) for key, own in rows.items()]


def _card(entry: Entry, rows: Mapping[str, Mapping[str, Any]], tracks: Mapping[str, Mapping[str, Any]]) -> Card:
    tasks = tuple(dict.fromkeys(cell.task for cell in entry.cells if not cell.check))
    effects = [
        Effect(setting, condition, effect["tasks"], effect["kl"], effect["perplexity"], effect["cells"])
        for setting, conditions in side_effects([cell for cell in entry.cells if not cell.check]).items()
        for condition, effect in conditions.items()
    ]
    return Card(
        entry.mapper.name,
        _control(next(iter(rows.values()))),
        tuple(_facts(entry)),
        tuple(
            (number, bar_of_score(row), tuple(bar_of_score(row["by_task"].get(task)) for task in tasks))
            for number, row in rows.items()
        ),
        tasks,
        tuple(_outcomes(track, known) for track, known in tracks.items()),
        tuple(effects),
        tuple(sorted({name for effect in effects for name in effect.tasks})),
    )


def _outcomes(track: str, known: Mapping[str, Any]) -> Outcomes:
    steerable = f"{known['n_steerable']} of {known['n_cells']}"
    return Outcomes(track, steerable, tuple(known["outcomes"][name] for name in OUTCOMES), known["fidelity"])


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
