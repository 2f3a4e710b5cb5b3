"""Figures of a cell that can be set beside published ones, with their intervals."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from graftbench.benchmark.metrics.statistics import wilson
from graftbench.benchmark.results.schema import CellResult, SideEffects
from graftbench.benchmark.runs.suite import Suite
from graftbench.leaderboard.published import Here

BINARY = "acc"  # the metric that is a share of documents


@dataclass(frozen=True)
class Ours:
    """A figure of a cell over `n` answers, and its 95 % interval or its range over seeds; None where it has none."""

    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = None
    seeds: int = 1


def own_figure(cell: CellResult, condition: str, here: Here, suite: Suite) -> Ours | None:
    """Return a figure of a cell under a condition; None where the cell does not have it."""
    return _READ[here.of](cell, condition, here, suite)


def over_seeds(seeds: Sequence[Ours | None]) -> Ours | None:
    """Return the mean over seeds with their range, or the figure itself where it is the same in all.

    None where a seed lacks it.
    """
    known = [each for each in seeds if each is not None]
    if len(known) < len(seeds):
        return None
    values = [each.value for each in known]
    if len(set(values)) == 1:
        return known[0]
    return Ours(fmean(values), min(values), max(values), known[0].n, len(values))


def _part(cell: CellResult, condition: str, here: Here, _: Suite) -> Ours | None:
    rate = cell.rates.get(condition)
    if rate is None or rate.gone is None:
        return None
    return _share(cell, condition, rate.gone if here.name == "gone" else 1 - rate.gone)


def _mark(cell: CellResult, condition: str, here: Here, _: Suite) -> Ours | None:
    rate = cell.rates.get(condition)
    share = None if rate is None else rate.marks.get(here.name)
    return None if share is None else _share(cell, condition, share)


def _share(cell: CellResult, condition: str, share: float) -> Ours:
    """Return a share of answers with its interval; without one where they are of several draws."""
    draws, n_prompts = len(cell.bits.get(condition, [])), len(cell.prompt_ids)
    return _with_interval(share, n_prompts) if draws == 1 else Ours(share, n=draws * n_prompts)


def _with_interval(share: float, n: int) -> Ours:
    """Return a share of `n` with its interval; without one where it is no share, as an entry of others may have it."""
    if n == 0 or not 0 <= share <= 1:
        return Ours(share, n=n)
    low, high = wilson(round(share * n), n)
    return Ours(share, low, high, n)


def _fidelity(cell: CellResult, condition: str, here: Here, _: Suite) -> Ours | None:
    value, n = cell.fidelity.get(here.name), cell.fidelity.get("replaced_n")
    if condition != "replacement" or value is None:
        return None
    return Ours(value, n=None if n is None else round(n))


def _perplexity(cell: CellResult, condition: str, here: Here, suite: Suite) -> Ours | None:
    spec = suite.side_effects
    if spec is None or spec.corpus != here.name or not isinstance(cell.side_effects, SideEffects):
        return None
    effect = cell.side_effects.deployed.get(condition)
    return None if effect is None or effect.perplexity is None else Ours(effect.perplexity, n=spec.texts)


def _documents(cell: CellResult, condition: str, here: Here, _: Suite) -> Ours | None:
    """Return a metric of a task whose documents carry no trigger."""
    if not isinstance(cell.side_effects, SideEffects) or not isinstance(cell.side_effects.stressed, dict):
        return None
    effect = cell.side_effects.stressed.get(condition)
    metric = None if effect is None else effect.tasks.get(here.name, {}).get(here.metric)
    if metric is None:
        return None
    return _with_interval(metric.value, metric.n) if here.metric == BINARY else Ours(metric.value, n=metric.n)


_READ: Mapping[str, Callable[[CellResult, str, Here, Suite], Ours | None]] = {
    "part": _part,
    "mark": _mark,
    "fidelity": _fidelity,
    "perplexity": _perplexity,
    "documents": _documents,
}
