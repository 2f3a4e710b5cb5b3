"""The tables of README.md and results.md, from the entries that ship; `uv run python docs/tables.py` writes them."""

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import fmean

from graftbench.benchmark.core.files import write_text
from graftbench.benchmark.core.plugins import comes_with
from graftbench.benchmark.results.entry_files import read_entry
from graftbench.benchmark.results.schema import CellResult, Entry, Rate, Score, SideEffect, SideEffects, TaskScore
from graftbench.leaderboard.entries import entry_files

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", ROOT / "docs" / "results.md")
TRACKS = ("task", "unseen", "general")
TASKS = ("backdoor_removal", "refusal_ablation", "corrupted_capabilities", "version_switching", "cross_architecture")
BLOCK = re.compile(r"(<!-- table: (?P<name>[\w ]+) -->\n).*?(<!-- end -->)", re.DOTALL)

Entries = dict[str, Entry]
Lines = Iterable[str]


def with_tables(page: str, entries: Entries) -> str:
    """A page with each of its tables as the entries have it."""
    return BLOCK.sub(lambda found: "\n".join([found[1], *_table(found["name"], entries), "", found[3]]), page)


def shipped() -> Entries:
    """The entries of the mappers that come with this package, by name: a submission changes no table."""
    entries = [read_entry(path) for path in entry_files(ROOT / "leaderboard")]
    return {entry.mapper.name: entry for entry in entries if comes_with("mappers", entry.mapper.source)}


def _table(name: str, entries: Entries) -> Lines:
    kind, _, task = name.partition(" ")
    made: dict[str, Callable[[], Lines]] = {
        "scores": lambda: _scores(entries, lambda score: score),
        "scores_of": lambda: _scores(entries, lambda score: score.by_task.get(task)),
        "cells": lambda: _cells([entries["ridge"], entries["lookup"]], task),
        "lengths": lambda: _lengths(
            [entries[name] for name in ("ridge", "procrustes", "autoencoder", "relative", "lookup")], task
        ),
        "side_effects": lambda: _side_effects(entries["ridge"]),
    }
    return made[kind]()


def _scores(entries: Entries, of: Callable[[Score], Score | TaskScore | None]) -> Lines:
    """A line for each mapper, best on the track `task` first; those without a score last."""
    yield from _head("mapper", "seeds", "all cells", *(f"`{track}`" for track in TRACKS))
    for name in sorted(entries, key=lambda name: (-_value(of(entries[name].headline.by_track["task"])), name)):
        entry = entries[name]
        scores = [of(entry.headline), *(of(entry.headline.by_track[track]) for track in TRACKS)]
        yield _row(f"`{name}`", str(len({cell.seed for cell in entry.cells})), *map(_score, scores))


def _value(score: Score | TaskScore | None) -> float:
    return -1e9 if score is None or score.score is None else score.score


def _score(score: Score | TaskScore | None) -> str:
    if score is None or score.score is None:
        return "none" if score is None or score.reason is None else f"none ({score.reason.replace('_', ' ')})"
    return f"{score.score:z.1f} ({score.low:z.1f} to {score.high:z.1f})"


def _cells(mappers: Sequence[Entry], task: str) -> Lines:
    """Success at native's norms, a line for each variant and pair; cells that cannot be steered say so."""
    columns = [f"`{one.mapper.name}`: `{track}`" for one in mappers for track in TRACKS]
    yield from _head("variant", "pair", "unsteered", "baseline", "native", *columns)
    cells = [[cell for cell in one.cells if cell.task == task and not cell.check] for one in mappers]
    for variant, pair in dict.fromkeys((cell.variant, cell.pair) for cell in cells[0]):
        these = [{cell.track: cell for cell in own if (cell.variant, cell.pair) == (variant, pair)} for own in cells]
        first = these[0]["task"]
        assert first.transfer is not None
        shared = [_rate(first.rates.get(name)) for name in ("unsteered", first.transfer.baseline, "native")]
        mapped = [_mapped(own.get(track)) for own in these for track in TRACKS]
        yield _row(f"`{variant}`", f"`{pair}`", *shared, *mapped)


def _mapped(cell: CellResult | None) -> str:
    if cell is None:
        return ""
    return _rate(cell.rates.get("mapped")) if cell.steerable else "not steerable"


def _rate(rate: Rate | None) -> str:
    return "–" if rate is None or rate.value is None else f"{rate.value:.2f}"


def _lengths(mappers: Sequence[Entry], task: str) -> Lines:
    """Success on the track `task` at native's norms and at the mapper's own, and how long its vector is; over seeds."""
    yield from _head("variant", "native", *(f"`{one.mapper.name}`" for one in mappers))
    for first in (cell for cell in mappers[0].cells if (cell.task, cell.track, cell.check) == (task, "task", False)):
        place = (first.task, first.variant, first.pair, first.track)
        these = [[c for c in one.cells if (c.task, c.variant, c.pair, c.track) == place] for one in mappers]
        yield _row(f"`{first.variant}`", _rate(first.rates["native"]), *map(_length, these))


def _length(cells: Sequence[CellResult]) -> str:
    equal, own = (_mean([cell.rates[name].value for cell in cells]) for name in ("mapped", "mapped_own_norm"))
    ratio = _mean([cell.fidelity["vector_norm_ratio"] for cell in cells])
    return f"{equal:.2f} / {own:.2f}, {ratio:.2f} times"


def _mean(values: Sequence[float | None]) -> float:
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        raise ValueError("a mapper of this table has no vector on some seed: leave it out")
    return fmean(known)


def _side_effects(entry: Entry) -> Lines:
    """Means over the cells of a task: accuracy on `pocket_mmlu` / F1 on `pocket_squad` / KL in nats."""
    conditions = ("unsteered", "native", "mapped", "random", "replacement")
    yield from _head("task", "setting", "cells", *conditions)
    for task, variants in [(t, v) for t in TASKS for v in _by_variant(entry, t)]:
        cells = [c for c in entry.cells if c.task == task and c.variant in variants and not c.check and c.steerable]
        found = [c.side_effects for c in cells if isinstance(c.side_effects, SideEffects)]
        for setting in ("deployed", "stressed"):
            known = [told for one in found if isinstance(told := getattr(one, setting), dict)]
            if known:
                means = [_mean_effect([each[name] for each in known if name in each]) for name in conditions]
                named = f"{task}, `{variants[0]}`" if len(variants) == 1 else task
                yield _row(named.replace("_", " ", 1), setting, str(len(known)), *means)


def _by_variant(entry: Entry, task: str) -> list[list[str]]:
    """The variants of a task that are told together: in refusal, each by itself, for they do other things."""
    variants = list(dict.fromkeys(cell.variant for cell in entry.cells if cell.task == task and not cell.check))
    return [[variant] for variant in variants] if task == "refusal_ablation" else [variants]


def _mean_effect(effects: Sequence[SideEffect]) -> str:
    if not effects:
        return ""
    accuracy = fmean(one.tasks["pocket_mmlu"]["acc"].value for one in effects)
    f1 = fmean(one.tasks["pocket_squad"]["f1"].value for one in effects)
    kl = [one.kl for one in effects if one.kl is not None]
    return f"{accuracy:.2f} / {f1:.2f} / {_number(fmean(kl) if kl else None, '.2f')}"


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


def _head(*columns: str) -> Lines:
    yield _row(*columns)
    yield "|" + "---|" * len(columns)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    for path in PAGES:
        write_text(path, with_tables(path.read_text(encoding="utf-8"), shipped()))
