"""Tables of scores, cells, vector lengths and side effects."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Any

from graftbench.benchmark.results.schema import CellResult, Entry, Rate, SideEffect, SideEffects
from graftbench.leaderboard.columns import rank_range
from graftbench.leaderboard.ranking import ranking_of
from graftbench.leaderboard.scoring import read_scoring

TRACKS = ("task", "unseen", "general")
TASKS = ("backdoor_removal", "refusal_ablation", "corrupted_capabilities", "version_switching", "cross_architecture")
LEADERBOARD = Path(__file__).parents[1] / "leaderboard"

Lines = Iterable[str]
Figure = Mapping[str, Any]


class Entries(dict[str, Entry]):
    """Entries of one suite by the name of the mapper, with their ranking."""

    @cached_property
    def ranking(self) -> dict[str, Any]:
        """The ranking, as the leaderboard has it."""
        entries = list(self.values())
        return ranking_of(entries, read_scoring(LEADERBOARD, entries[0].suite.name))

    def rows(self, number: str) -> list[dict[str, Any]]:
        """Return the rows of one of the two numbers, best first and controls last."""
        return list(self.ranking["scores"][number])

    def outcomes(self, name: str) -> dict[str, dict[str, Any]]:
        """Return what stands beside the scores of a mapper, by track."""
        return next(row["tracks"] for row in self.ranking["mappers"] if row["mapper"] == name)


def scores(entries: Entries) -> Lines:
    """Yield rank and score of each mapper with both numbers, best first; controls come last and have no rank.

    Mappers without vectors are left out. The last rows say what random vectors would score, by the number of seeds.
    """
    carried, fitted = entries.rows("carried"), {row["mapper"]: row for row in entries.rows("fitted")}
    yield from head("mapper", "seeds", "rank", "**carried**", "own norm", "rank", "**fitted**", "own norm")
    seeds = {name: len({cell.seed for cell in entry.cells}) for name, entry in entries.items()}
    scored = [each for each in carried if {each["score"], fitted[each["mapper"]]["score"]} != {None}]
    for row_of in scored:
        name = row_of["mapper"]
        shown = f"`{name}` (control)" if row_of["control"] else f"`{name}`"
        yield row(shown, str(seeds[name]), *_standing(row_of), *_standing(fitted[name]))
    for n, of in sorted({seeds[each["mapper"]]: each for each in scored}.items()):
        bands = [("–", _null_band(each), "–") for each in (of, fitted[of["mapper"]])]
        yield row("random vectors", str(n), *bands[0], *bands[1])


def _standing(row_of: Figure) -> tuple[str, str, str]:
    own = None if row_of["score"] is None else row_of["norms"]["own_norm"]
    rank = rank_range(row_of["rank"]) if row_of["rank"] else "–"
    return rank, figure(row_of), "–" if own is None else f"{own:z.1f}"


def _null_band(row_of: Figure) -> str:
    return "–" if row_of["score"] is None else f"{row_of['null_low']:z.1f} to {row_of['null_high']:z.1f}"


def by_part(entries: Entries, number: str, kind: str) -> Lines:
    """Yield the score of each mapper on each part of the cells, such as a behaviour, with the prompts that count."""
    rows = [each for each in entries.rows(number) if each["score"] is not None]
    parts = rows[0][kind]
    yield from head("mapper", *(f"{_words(name)}: {part['n_prompts']} prompts" for name, part in parts.items()))
    for each in rows:
        yield row(f"`{each['mapper']}`", *(figure(each[kind].get(name)) for name in parts))


def figure(of: Figure | None) -> str:
    """Return a score with its interval, or why there is none."""
    if of is None or of["score"] is None:
        return "none" if of is None or of["reason"] is None else f"none ({_words(of['reason'])})"
    return f"{of['score']:z.1f} ({of['low']:z.1f} to {of['high']:z.1f})"


def _words(name: str) -> str:
    return name.replace("_", " ")


def cells(mappers: Sequence[Entry], task: str) -> Lines:
    """Yield success at native's norms by variant and pair; cells that are not steerable say so."""
    columns = [f"`{one.mapper.name}`: `{track}`" for one in mappers for track in TRACKS]
    yield from head("variant", "pair", "unsteered", "baseline", "native", *columns)
    by_mapper = [[cell for cell in one.cells if cell.task == task and not cell.check] for one in mappers]
    for variant, pair in dict.fromkeys((cell.variant, cell.pair) for cell in by_mapper[0]):
        by_track: list[dict[str, CellResult]] = [
            {cell.track: cell for cell in own if (cell.variant, cell.pair) == (variant, pair)} for own in by_mapper
        ]
        first = by_track[0]["task"]
        assert first.transfer is not None
        shared = [_rate(first.rates.get(name)) for name in ("unsteered", first.transfer.baseline, "native")]
        mapped = [_mapped(own.get(track)) for own in by_track for track in TRACKS]
        yield row(f"`{variant}`", f"`{pair}`", *shared, *mapped)


def _mapped(cell: CellResult | None) -> str:
    if cell is None:
        return ""
    return _rate(cell.rates.get("mapped")) if cell.steerable else "not steerable"


def _rate(rate: Rate | None) -> str:
    return "–" if rate is None or rate.value is None else f"{rate.value:.2f}"


def lengths(mappers: Sequence[Entry], task: str) -> Lines:
    """Yield success on the track `task` at native's norms and at the mapper's own, with the ratio of norms."""
    yield from head("variant", "native", *(f"`{one.mapper.name}`" for one in mappers))
    for first in (cell for cell in mappers[0].cells if (cell.task, cell.track, cell.check) == (task, "task", False)):
        place = (first.task, first.variant, first.pair, first.track)
        same = [[c for c in one.cells if (c.task, c.variant, c.pair, c.track) == place] for one in mappers]
        yield row(f"`{first.variant}`", _rate(first.rates["native"]), *map(_length, same))


def _length(seeds: Sequence[CellResult]) -> str:
    equal, own = (_mean([cell.rates[name].value for cell in seeds]) for name in ("mapped", "mapped_own_norm"))
    ratio = _mean([cell.fidelity["vector_norm_ratio"] for cell in seeds])
    return f"{equal:.2f} / {own:.2f}, {ratio:.2f} times"


def _mean(values: Sequence[float | None]) -> float:
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        raise ValueError("a mapper of this table has no vector on some seed: leave it out")
    return fmean(known)


def side_effects(entry: Entry) -> Lines:
    """Yield means over the cells of a task: accuracy on `pocket_mmlu` / F1 on `pocket_squad` / KL in nats."""
    conditions = ("unsteered", "native", "mapped", "random", "replacement")
    yield from head("task", "setting", "cells", *conditions)
    for task, variants in [(t, v) for t in TASKS for v in _variants(entry, t)]:
        own = [c for c in entry.cells if c.task == task and c.variant in variants and not c.check and c.steerable]
        measured = [c.side_effects for c in own if isinstance(c.side_effects, SideEffects)]
        for setting in ("deployed", "stressed"):
            known = [effects for one in measured if isinstance(effects := getattr(one, setting), dict)]
            if known:
                means = [_mean_effect([each[name] for each in known if name in each]) for name in conditions]
                name = f"{task}, `{variants[0]}`" if len(variants) == 1 else task
                yield row(name.replace("_", " ", 1), setting, str(len(known)), *means)


def _variants(entry: Entry, task: str) -> list[list[str]]:
    """Return the groups of variants that share a row: all of a task, but those of refusal one by one."""
    variants = list(dict.fromkeys(cell.variant for cell in entry.cells if cell.task == task and not cell.check))
    return [[variant] for variant in variants] if task == "refusal_ablation" else [variants]


def _mean_effect(effects: Sequence[SideEffect]) -> str:
    if not effects:
        return ""
    accuracy = fmean(one.tasks["pocket_mmlu"]["acc"].value for one in effects)
    f1 = fmean(one.tasks["pocket_squad"]["f1"].value for one in effects)
    kl = [one.kl for one in effects if one.kl is not None]
    return f"{accuracy:.2f} / {f1:.2f} / {f'{fmean(kl):.2f}' if kl else '–'}"


def head(*columns: str) -> Lines:
    """Yield the head of a Markdown table."""
    yield row(*columns)
    yield "|" + "---|" * len(columns)


def row(*cells: str) -> str:
    """Return a row of a Markdown table."""
    return f"| {' | '.join(cells)} |"
