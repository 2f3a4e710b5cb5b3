"""Tables of scores, cells, vector lengths and side effects."""

from collections.abc import Callable, Iterable, Sequence
from statistics import fmean

from graftbench.benchmark.results.schema import CellResult, Entry, Rate, Score, SideEffect, SideEffects, TaskScore

TRACKS = ("task", "unseen", "general")
TASKS = ("backdoor_removal", "refusal_ablation", "corrupted_capabilities", "version_switching", "cross_architecture")

Entries = dict[str, Entry]
Lines = Iterable[str]
AnyScore = Score | TaskScore | None


def scores(entries: Entries, of: Callable[[Score], AnyScore]) -> Lines:
    """Yield a row for each mapper, best on the track `task` first; those without a score last."""
    columns = [("all tracks", of(entries["ridge"].headline))]
    columns += [(f"`{track}`", of(entries["ridge"].headline.by_track[track])) for track in TRACKS]
    yield from head("mapper", "seeds", *(f"{name}: {_n_cells(score)}" for name, score in columns))
    for name in sorted(entries, key=lambda name: (-_value(of(entries[name].headline.by_track["task"])), name)):
        entry = entries[name]
        own = [of(entry.headline), *(of(entry.headline.by_track[track]) for track in TRACKS)]
        yield row(f"`{name}`", str(len({cell.seed for cell in entry.cells})), *map(_score, own))


def _n_cells(score: AnyScore) -> str:
    return "no cell" if score is None else f"{score.n_steerable} of {score.n_cells} cells"


def _value(score: AnyScore) -> float:
    return -1e9 if score is None or score.score is None else score.score


def _score(score: AnyScore) -> str:
    if score is None or score.score is None:
        return "none" if score is None or score.reason is None else f"none ({score.reason.replace('_', ' ')})"
    return f"{score.score:z.1f} ({score.low:z.1f} to {score.high:z.1f})"


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
