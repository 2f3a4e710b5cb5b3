"""From what the workers bring back to the cells and the headline of an entry."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graftbench.leaderboard.schema import Cell as CellResult
from graftbench.leaderboard.schema import Cost, Headline, Rate, TaskScore, Training, Transfer

from .metrics.effects import Bits, Floats, Interval, Resamples, difference, is_steerable, resampled, transfer
from .metrics.intervals import wilson
from .plan import Cell
from .plugins import plugin
from .pool import Failure
from .task import Scored
from .work import Done

BOOTSTRAP_SEED = 0
NOT_STEERABLE = "not_steerable"
LEAST_TEST, LEAST_VALIDATION = 128, 64  # prompts of a cell that counts


def cell_result(cell: Cell, outcome: Done | Failure) -> CellResult:
    """The entry's record of one cell."""
    about: dict[str, Any] = {
        "task": cell.task,
        "task_version": plugin("tasks", cell.task)().version,
        "variant": cell.variant,
        "pair": cell.pair,
        "check": cell.check,
        "track": cell.track,
        "seed": cell.seed,
        "sites": cell.sites,
    }
    if isinstance(outcome, Failure):
        return CellResult(**about, status=outcome.status, reason=outcome.reason, traceback=outcome.trace or None)
    return _scored(about, outcome)


def _scored(about: dict[str, Any], done: Done) -> CellResult:
    scored = done.scored
    drawn = resamples_of(scored.clusters, scored.bits)
    steerable = is_steerable(bits_of(scored.bits, "native"), bits_of(scored.bits, scored.baseline), drawn)
    return CellResult(
        **about,
        status="ok",
        reason=None if steerable else NOT_STEERABLE,
        strength=scored.strength,
        n_asked=scored.n_asked,
        n_prompts=len(scored.prompt_ids),
        n_validation=scored.n_validation,
        models=scored.models,
        prompt_ids=scored.prompt_ids,
        clusters=scored.clusters,
        bits=scored.bits,
        rates=_rates(scored, drawn),
        transfer=_transfer(scored, steerable, drawn),
        steerable=steerable,
        fidelity={key: _rounded(value) for key, value in scored.fidelity.items()},
        training=Training(data_hash=done.data_hash, record=done.record),
        cost=Cost(
            parameters=done.parameters,
            bytes=done.size,
            pairs=done.n_pairs,
            share_aligned=round(done.share_aligned, 4),
        ),
    )


def bits_of(bits: Mapping[str, list[list[int]]], condition: str) -> Bits:
    """The bits of a condition, [draws, prompts]."""
    return np.array(bits[condition], dtype=float)


def resamples_of(clusters: Sequence[str], bits: Mapping[str, list[list[int]]]) -> Resamples:
    """The resamples of a cell's prompts and random draws, the same for all cells on the same prompts."""
    return resampled(clusters, len(bits["random"]), BOOTSTRAP_SEED)


def _rates(scored: Scored, drawn: Resamples) -> dict[str, Rate]:
    found = {}
    for name, draws in scored.bits.items():
        value = bits_of(scored.bits, name)
        low, high = wilson(sum(draws[0]), len(draws[0])) if len(draws) == 1 else _spread(value, drawn)
        parts: dict[str, Any] = {part: round(share, 4) for part, share in scored.parts[name].items()}
        found[name] = Rate(value=round(float(value.mean()), 4), low=round(low, 4), high=round(high, 4), **parts)
    missing = {name: why for name, why in scored.reasons.items() if name not in found}
    return found | {name: Rate(value=None, low=None, high=None, reason=why) for name, why in missing.items()}


def _spread(bits: Bits, drawn: Resamples) -> tuple[float, float]:
    if len(bits) != drawn.draws.shape[1]:
        drawn = Resamples(drawn.clusters, np.ones((len(drawn.clusters), len(bits))), drawn.member)
    low, high = np.quantile(drawn.rate(bits), [0.025, 0.975])
    return float(low), float(high)


def _transfer(scored: Scored, steerable: bool, drawn: Resamples) -> Transfer:
    reason = None if steerable else NOT_STEERABLE
    if "mapped" not in scored.bits:
        reason = reason or scored.reasons["mapped"]
    if reason is not None:
        return Transfer(value=None, low=None, high=None, baseline=scored.baseline, reason=reason)
    mapped, native, baseline = (bits_of(scored.bits, c) for c in ("mapped", "native", scored.baseline))
    found = transfer(mapped, native, baseline, drawn)
    rounded = {name: round(value, 4) for name, value in vars(found).items()}
    return Transfer(**rounded, baseline=scored.baseline, reason=None)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def headline(cells: Sequence[CellResult], *, filtered: bool = False) -> Headline:
    """Per task the ratio of sums over steerable cells; the mean over tasks, times 100. Checks never enter.

    Null where cells of the suite were left out (`filtered`), failed, or had too few prompts.
    """
    counted = [cell for cell in cells if not cell.check]
    tasks = list(dict.fromkeys(cell.task for cell in counted))
    scores = {task: _task_score([cell for cell in counted if cell.task == task]) for task in tasks}
    n_steerable = sum(bool(cell.steerable) for cell in counted)
    reason = "cells of the suite were left out" if filtered else _why_not(counted)
    found = None if reason else _mean([resamples for _, resamples in scores.values() if resamples is not None])
    return Headline(
        score=round(found.value, 4) if found else None,
        low=round(found.low, 4) if found else None,
        high=round(found.high, 4) if found else None,
        reason=reason,
        n_steerable=n_steerable,
        n_cells=len(counted),
        bootstrap_seed=BOOTSTRAP_SEED,
        by_task={task: score for task, (score, _) in scores.items()},
    )


def _why_not(counted: Sequence[CellResult]) -> str | None:
    failed = [cell for cell in counted if cell.status != "ok"]
    if failed:
        return f"{len(failed)} of {len(counted)} cells failed"
    if not counted:
        return "checks alone were run"
    few = [c for c in counted if (c.n_prompts or 0) < LEAST_TEST or (c.n_validation or 0) < LEAST_VALIDATION]
    if few:
        least = f"{LEAST_TEST} test or {LEAST_VALIDATION} validation prompts"
        return f"{len(few)} of {len(counted)} cells have fewer than {least}"
    steerable = [cell for cell in counted if cell.steerable]
    if not steerable:
        return "no cell can be steered"
    if any("mapped" not in cell.bits for cell in steerable):
        return "zero_vector"
    return None


Gains = tuple[float, float, Floats, Floats]  # mapped and native above the baseline, and their resamples


def _task_score(cells: Sequence[CellResult]) -> tuple[TaskScore, tuple[float, Floats] | None]:
    steerable = [cell for cell in cells if cell.steerable and cell.status == "ok"]
    counts = {"n_steerable": len(steerable), "n_cells": len(cells)}
    if _why_not(cells) is not None:
        return TaskScore(score=None, low=None, high=None, **counts), None
    gains = [_gains(cell) for cell in steerable]
    value = 100 * sum(g[0] for g in gains) / sum(g[1] for g in gains)
    resamples = 100 * np.sum([g[2] for g in gains], axis=0) / np.sum([g[3] for g in gains], axis=0)
    low, high = np.quantile(resamples, [0.025, 0.975])
    score = TaskScore(score=round(value, 4), low=round(float(low), 4), high=round(float(high), 4), **counts)
    return score, (value, resamples)


def _gains(cell: CellResult) -> Gains:
    drawn = resamples_of(cell.clusters, cell.bits)
    baseline = cell.transfer.baseline if cell.transfer else "random"
    mapped, native, base = (bits_of(cell.bits, name) for name in ("mapped", "native", baseline))
    below = drawn.rate(base)
    return (
        difference(mapped, base, drawn).value,
        difference(native, base, drawn).value,
        drawn.rate(mapped) - below,
        drawn.rate(native) - below,
    )


def _mean(scores: Sequence[tuple[float, Floats]]) -> Interval:
    resamples = np.mean([resamples for _, resamples in scores], axis=0)
    low, high = np.quantile(resamples, [0.025, 0.975])
    return Interval(float(np.mean([value for value, _ in scores])), float(low), float(high))
