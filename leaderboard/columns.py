"""Columns reported with the rank of a mapper: side effects, fidelity and cost, over its cells."""

from collections.abc import Iterable, Iterator, Sequence
from math import exp, log
from statistics import fmean
from typing import Any

from graftbench.benchmark.results.schema import UNSTEERED, CellResult, SideEffect, SideEffects

SETTINGS = ("deployed", "stressed")
FIDELITY = ("cosine", "fvu", "replaced_kl")
Pairs = list[tuple[SideEffect, SideEffect]]  # unsteered and a condition, of one cell each


def side_effects(cells: Sequence[CellResult]) -> dict[str, dict[str, dict[str, Any]]]:
    """Return mean side effects by setting and condition, over the cells that measured them.

    `tasks` are differences to unsteered, `kl` is in nats, `perplexity` is the geometric mean of the ratio to the
    unsteered model's.
    """
    measured = [cell.side_effects for cell in cells if isinstance(cell.side_effects, SideEffects)]
    means: dict[str, dict[str, dict[str, Any]]] = {}
    for setting in SETTINGS:
        by_cell = [effects for one in measured if isinstance(effects := getattr(one, setting), dict)]
        for condition in dict.fromkeys(name for effects in by_cell for name in effects if name != UNSTEERED):
            pairs = [(effects[UNSTEERED], effects[condition]) for effects in by_cell if condition in effects]
            means.setdefault(setting, {})[condition] = _changes(pairs)
    return means


def _changes(pairs: Pairs) -> dict[str, Any]:
    scored = sorted({(task, metric) for _, one in pairs for task, metrics in one.tasks.items() for metric in metrics})
    return {
        "cells": len(pairs),
        "tasks": {f"{task} {metric}": _mean(_differences(pairs, task, metric)) for task, metric in scored},
        "kl": _mean(one.kl for _, one in pairs if one.kl is not None),
        "perplexity": _perplexity_ratio(pairs),
    }


def _perplexity_ratio(pairs: Pairs) -> float | None:
    """Return the geometric mean of the ratio to the unsteered model's, so that one broken cell does not dominate."""
    logs = [log(one.perplexity / own.perplexity) for own, one in pairs if one.perplexity and own.perplexity]
    return round(exp(fmean(logs)), 4) if logs else None


def _differences(pairs: Pairs, task: str, metric: str) -> Iterator[float]:
    for _, one in pairs:
        if metric in one.tasks.get(task, {}):
            yield one.tasks[task][metric].difference


def fidelity(cells: Sequence[CellResult]) -> dict[str, float | None]:
    """Return the cosine of predicted activations, the fraction of variance unexplained, and `replaced_kl` in nats.

    Means over cells.
    """
    return {name: _mean(v for cell in cells if (v := cell.fidelity.get(name)) is not None) for name in FIDELITY}


def cost(cells: Sequence[CellResult]) -> dict[str, int]:
    """Return the most parameters and bytes of a fitted mapper in any cell."""
    costs = [cell.cost for cell in cells if cell.cost is not None]
    return {
        "parameters": max((cost.parameters for cost in costs), default=0),
        "bytes": max((cost.bytes for cost in costs), default=0),
    }


def rank_range(rank: Sequence[int]) -> str:
    """Return a range of ranks in words."""
    best, worst = rank
    return str(best) if best == worst else f"{best} to {worst}"


def _mean(values: Iterable[float]) -> float | None:
    known = list(values)
    return round(fmean(known), 4) if known else None
