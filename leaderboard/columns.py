"""What stands beside the rank of a mapper: side effects, fidelity and cost, over its cells."""

from collections.abc import Iterator, Sequence
from math import exp, log
from statistics import fmean
from typing import Any

from graftbench.benchmark.results.schema import UNSTEERED, CellResult, SideEffect, SideEffects

SETTINGS = ("deployed", "stressed")
FIDELITY = ("cosine", "fvu")
Pairs = list[tuple[SideEffect, SideEffect]]  # unsteered and a condition, of one cell each


def side_effects(cells: Sequence[CellResult]) -> dict[str, dict[str, dict[str, Any]]]:
    """What each condition costs in each setting: means, over the cells for which it is known, of what changed.

    `tasks` are differences to unsteered, `kl` is in nats, `perplexity` how many times the unsteered model's, in the
    geometric mean.
    """
    found = [cell.side_effects for cell in cells if isinstance(cell.side_effects, SideEffects)]
    told: dict[str, dict[str, dict[str, Any]]] = {}
    for setting in SETTINGS:
        known = [each for one in found if isinstance(each := getattr(one, setting), dict)]
        for name in dict.fromkeys(name for each in known for name in each if name != UNSTEERED):
            pairs = [(each[UNSTEERED], each[name]) for each in known if name in each]
            told.setdefault(setting, {})[name] = _changes(pairs)
    return told


def _changes(pairs: Pairs) -> dict[str, Any]:
    graded = sorted({(task, metric) for _, one in pairs for task, metrics in one.tasks.items() for metric in metrics})
    return {
        "cells": len(pairs),
        "tasks": {f"{task} {metric}": _mean(_differences(pairs, task, metric)) for task, metric in graded},
        "kl": _mean([one.kl for _, one in pairs if one.kl is not None]),
        "perplexity": _times(pairs),
    }


def _times(pairs: Pairs) -> float | None:
    """How many times the unsteered model's perplexity, in the geometric mean: one broken cell is not all there is."""
    logs = [log(one.perplexity / own.perplexity) for own, one in pairs if one.perplexity and own.perplexity]
    return round(exp(fmean(logs)), 4) if logs else None


def _differences(pairs: Pairs, task: str, metric: str) -> Iterator[float]:
    for _, one in pairs:
        if metric in one.tasks.get(task, {}):
            yield one.tasks[task][metric].difference


def fidelity(cells: Sequence[CellResult]) -> dict[str, float | None]:
    """Cosine and fraction of variance unexplained of predicted activations, means over cells."""
    return {name: _mean([v for cell in cells if (v := cell.fidelity.get(name)) is not None]) for name in FIDELITY}


def cost(cells: Sequence[CellResult]) -> dict[str, int]:
    """The most that a cell's mapper takes up."""
    costs = [cell.cost for cell in cells if cell.cost is not None]
    return {
        "parameters": max((cost.parameters for cost in costs), default=0),
        "bytes": max((cost.bytes for cost in costs), default=0),
    }


def _mean(values: "Sequence[float] | Iterator[float]") -> float | None:
    known = list(values)
    return round(fmean(known), 4) if known else None
