"""Scores from the cells of an entry, of tasks, of fit tracks and of everything, with the resamples behind them."""

from collections.abc import Sequence
from typing import Any
from zlib import crc32

import numpy as np

from graftbench.benchmark.metrics.statistics import RESAMPLES, Floats, Interval, counts_of, difference
from graftbench.benchmark.results.estimates import BOOTSTRAP_SEED, bits_of, resamples_of
from graftbench.benchmark.results.schema import CellResult, Headline, Score, TaskScore

LEFT_OUT = "cells of the suite were left out"
LEAST_TEST, LEAST_VALIDATION = 128, 64  # prompts of a cell that counts


def headline(cells: Sequence[CellResult], *, filtered: bool = False) -> Headline:
    """Per task the ratio of sums over steerable cells; the mean over tasks, times 100. Checks never enter.

    Null where cells of the suite were left out (`filtered`), failed, or had too few prompts.
    """
    counted = [cell for cell in cells if not cell.check]
    failed = sum(cell.status != "ok" for cell in counted)
    no_rank = LEFT_OUT if filtered else None
    if failed:  # on whichever track: a mapper that fails somewhere is ranked nowhere
        no_rank = f"{failed} of {len(counted)} cells failed"
    tracks = list(dict.fromkeys(cell.track for cell in counted))
    return Headline(
        **_score(counted, no_rank).model_dump(),
        bootstrap_seed=BOOTSTRAP_SEED,
        by_track={track: _score([cell for cell in counted if cell.track == track], no_rank) for track in tracks},
    )


def score_of(cells: Sequence[CellResult]) -> Score:
    """The score of some cells, over their tasks."""
    return _score(cells, None)


def _score(counted: Sequence[CellResult], no_rank: str | None) -> Score:
    tasks = list(dict.fromkeys(cell.task for cell in counted))
    scores = {task: _task_score([cell for cell in counted if cell.task == task]) for task in tasks}
    reason = no_rank or _why_not(counted)
    found = None if reason else _mean([resamples for _, resamples in scores.values() if resamples is not None])
    return Score(
        score=round(found.value, 4) if found else None,
        low=round(found.low, 4) if found else None,
        high=round(found.high, 4) if found else None,
        reason=reason,
        n_steerable=sum(bool(cell.steerable) for cell in counted),
        n_cells=len(counted),
        by_task={task: score for task, (score, _) in scores.items()},
    )


def score_resamples(cells: Sequence[CellResult]) -> Floats | None:
    """The score of some cells in every resample [resamples], None where they have none.

    The resamples of two mappers on the same prompts are of the same prompts and draws, so that they can be compared one
    by one.
    """
    counted = [cell for cell in cells if not cell.check]
    if _why_not(counted) is not None:
        return None
    tasks = dict.fromkeys(cell.task for cell in counted)
    found = [_task_score([cell for cell in counted if cell.task == task])[1] for task in tasks]
    return np.asarray(np.mean([resamples for _, resamples in (one for one in found if one is not None)], axis=0))


def _why_not(counted: Sequence[CellResult]) -> str | None:
    failed = [cell for cell in counted if cell.status != "ok"]
    if failed:
        return f"{len(failed)} of {len(counted)} cells failed"
    if not counted:
        return "checks alone were run"
    run = [cell for cell in counted if "native" in cell.bits]
    few = [c for c in run if (c.n_prompts or 0) < LEAST_TEST or (c.n_validation or 0) < LEAST_VALIDATION]
    if few:
        least = f"{LEAST_TEST} test or {LEAST_VALIDATION} validation prompts"
        return f"{len(few)} of {len(counted)} cells have fewer than {least} whose clean answer is good: ask for more"
    steerable = [cell for cell in counted if cell.steerable]
    if not steerable:
        return "no cell can be steered"
    nothing = [cell for cell in steerable if "mapped" not in cell.bits]
    return nothing[0].rates["mapped"].reason if nothing else None


Gains = tuple[float, float, Floats, Floats]  # mapped and native above the baseline, and their resamples


def _task_score(cells: Sequence[CellResult]) -> tuple[TaskScore, tuple[float, Floats] | None]:
    steerable = [cell for cell in cells if cell.steerable and cell.status == "ok"]
    about: dict[str, Any] = {"reason": _why_not(cells), "n_steerable": len(steerable), "n_cells": len(cells)}
    if about["reason"] is not None:
        return TaskScore(score=None, low=None, high=None, **about), None
    gains = [_over_seeds(fits) for fits in _by_fit(steerable)]
    value = 100 * sum(g[0] for g in gains) / sum(g[1] for g in gains)
    mapped, native = np.sum([g[2] for g in gains], axis=0), np.sum([g[3] for g in gains], axis=0)
    resamples = np.divide(100 * mapped, native, out=np.full_like(mapped, np.nan), where=native > 0)
    low, high = np.nanquantile(resamples, [0.025, 0.975])  # as in a transfer: where native adds nothing, there is none
    score = TaskScore(score=round(value, 4), low=round(float(low), 4), high=round(float(high), 4), **about)
    return score, (value, resamples)


def _by_fit(cells: Sequence[CellResult]) -> list[list[CellResult]]:
    """The cells that differ in the mapper's seed alone."""
    found: dict[tuple[str, str, str], list[CellResult]] = {}
    for cell in cells:
        found.setdefault((cell.variant, cell.pair, cell.track), []).append(cell)
    return list(found.values())


def _over_seeds(fits: Sequence[CellResult]) -> Gains:
    """The mean over the mapper's seeds, which are drawn again as prompts and draws are.

    Prompts and draws are the same for all mappers, and are drawn alike; the seeds of one have nothing to do with those
    of another. So what they are drawn by hangs on what came of them.
    """
    gains = [_gains(cell) for cell in fits]
    own = crc32(b"".join(bits_of(cell.bits, "mapped").astype(np.uint8).tobytes() for cell in fits))
    weights = counts_of(np.random.default_rng((BOOTSTRAP_SEED, own)), len(fits), RESAMPLES)
    shares = weights / weights.sum(1, keepdims=True)
    mapped, native = (np.sum([g[i] * shares[:, s] for s, g in enumerate(gains)], axis=0) for i in (2, 3))
    return float(np.mean([g[0] for g in gains])), float(np.mean([g[1] for g in gains])), mapped, native


def _gains(cell: CellResult) -> Gains:
    assert cell.transfer is not None
    baseline = cell.transfer.baseline
    drawn = resamples_of(cell.clusters, cell.bits, baseline)
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
    low, high = np.nanquantile(resamples, [0.025, 0.975])
    return Interval(float(np.mean([value for value, _ in scores])), float(low), float(high))
