"""The headline of an entry: the mean over tasks, by fit track and over all, as schema 3 has it.

It summarises one run. Mappers are compared by other numbers, which need the entries of memory (`leaderboard.scored`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np

from graftbench.benchmark.metrics.statistics import RESAMPLES, Floats, Interval, Resamples, interval, resample_counts
from graftbench.benchmark.results.draws import Draws
from graftbench.benchmark.results.estimates import BOOTSTRAP_SEED, draws_of, resamples_of
from graftbench.benchmark.results.schema import CellResult, Headline, Score, TaskScore

CELLS_LEFT_OUT = "cells of the suite were left out"
MIN_TEST_PROMPTS, MIN_VALIDATION_PROMPTS = 128, 64  # of a cell that counts


class _Fit(NamedTuple):
    """The bits of one fit of a mapper in one cell, with the resamples of its prompts."""

    mapped: Draws
    native: Draws
    baseline: Draws
    resamples: Resamples


@dataclass(frozen=True)
class _Gains:
    """Rates of mapped and native above the baseline, with their resamples [resamples]."""

    mapped: float
    native: float
    mapped_resamples: Floats
    native_resamples: Floats


def headline(cells: Sequence[CellResult], *, filtered: bool = False) -> Headline:
    """Return the headline: the mean over tasks, times 100, of the ratio of sums over steerable cells.

    Check cells never enter. The score is null where cells of the suite were left out (`filtered`), failed, or had too
    few prompts.
    """
    counted = [cell for cell in cells if not cell.check]
    failed = sum(cell.status != "ok" for cell in counted)
    unranked = CELLS_LEFT_OUT if filtered else None
    if failed:  # on any track: a mapper that fails somewhere is ranked nowhere
        unranked = f"{failed} of {len(counted)} cells failed"
    tracks = list(dict.fromkeys(cell.track for cell in counted))
    return Headline(
        **_score(counted, unranked).model_dump(),
        bootstrap_seed=BOOTSTRAP_SEED,
        by_track={track: _score([cell for cell in counted if cell.track == track], unranked) for track in tracks},
    )


def score_of(cells: Sequence[CellResult]) -> Score:
    """Return the score of some cells, over their tasks."""
    return _score(cells, None)


def _score(counted: Sequence[CellResult], unranked: str | None) -> Score:
    """Return the score of the cells that count, null for the reason given, or for one of their own."""
    tasks = list(dict.fromkeys(cell.task for cell in counted))
    scores = {task: _task_score([cell for cell in counted if cell.task == task]) for task in tasks}
    reason = unranked or reason_for_none(counted)
    mean = None if reason else _mean([resamples for _, resamples in scores.values() if resamples is not None])
    return Score(
        score=round(mean.value, 4) if mean else None,
        low=round(mean.low, 4) if mean else None,
        high=round(mean.high, 4) if mean else None,
        reason=reason,
        n_steerable=sum(bool(cell.steerable) for cell in counted),
        n_cells=len(counted),
        by_task={task: score for task, (score, _) in scores.items()},
    )


def reason_for_none(counted: Sequence[CellResult]) -> str | None:
    """Return why these cells have no score, None where they have one."""
    failed = [cell for cell in counted if cell.status != "ok"]
    if failed:
        return f"{len(failed)} of {len(counted)} cells failed"
    if not counted:
        return "checks alone were run"
    run = [cell for cell in counted if "native" in cell.bits]
    few = [c for c in run if (c.n_prompts or 0) < MIN_TEST_PROMPTS or (c.n_validation or 0) < MIN_VALIDATION_PROMPTS]
    if few:
        least = f"{MIN_TEST_PROMPTS} test or {MIN_VALIDATION_PROMPTS} validation prompts"
        there = f"{few[0].variant} has {few[0].n_prompts or 0} and {few[0].n_validation or 0}"
        cells = f"{len(few)} of {len(counted)} cells have fewer than {least}"
        return f"{cells} whose clean answer is good ({there}): ask for more"
    steerable = [cell for cell in counted if cell.steerable]
    if not steerable:
        return "no cell can be steered"
    unmapped = [cell for cell in steerable if "mapped" not in cell.bits]
    return unmapped[0].rates["mapped"].reason if unmapped else None


def _task_score(cells: Sequence[CellResult]) -> tuple[TaskScore, tuple[float, Floats] | None]:
    """Return the score of one task, and the exact value with its resamples [resamples] where there is one."""
    steerable = [cell for cell in cells if cell.steerable and cell.status == "ok"]
    counts: dict[str, Any] = {"reason": reason_for_none(cells), "n_steerable": len(steerable), "n_cells": len(cells)}
    if counts["reason"] is not None:
        return TaskScore(score=None, low=None, high=None, **counts), None
    gains = [_over_seeds(fits) for fits in _by_fit(steerable)]
    value = 100 * sum(g.mapped for g in gains) / sum(g.native for g in gains)
    mapped = np.sum([g.mapped_resamples for g in gains], axis=0)
    native = np.sum([g.native_resamples for g in gains], axis=0)
    resamples = np.divide(100 * mapped, native, out=np.full_like(mapped, np.nan), where=native > 0)
    low, high = interval(resamples, skip_nan=True)  # as in a transfer: where native adds nothing, there is none
    score = TaskScore(score=round(value, 4), low=round(low, 4), high=round(high, 4), **counts)
    return score, (value, resamples)


def _by_fit(cells: Sequence[CellResult]) -> list[list[CellResult]]:
    """Group cells that differ in the mapper's seed alone."""
    by_fit: dict[tuple[str, str, str], list[CellResult]] = {}
    for cell in cells:
        by_fit.setdefault((cell.variant, cell.pair, cell.track), []).append(cell)
    return list(by_fit.values())


def _over_seeds(fits: Sequence[CellResult]) -> _Gains:
    """Return the mean gains over the mapper's seeds."""
    return _mean_gains(tuple(_fit(cell) for cell in fits))


def _fit(cell: CellResult) -> _Fit:
    assert cell.transfer is not None
    baseline = cell.transfer.baseline
    mapped, native, base = (draws_of(cell.bits, name) for name in ("mapped", "native", baseline))
    return _Fit(mapped, native, base, resamples_of(cell.clusters, cell.bits, baseline))


@lru_cache(maxsize=2**11)  # the score over all, of each track and of each pair are over the same fits
def _mean_gains(fits: tuple[_Fit, ...]) -> _Gains:
    """Average the gains over the mapper's seeds, which are resampled as prompts and draws are.

    Prompts and draws are shared by all mappers, and so are their resamples. The seeds of two mappers have nothing in
    common: their resamples are seeded by the bits of the fits.
    """
    gains = [_gains(fit) for fit in fits]
    seed = crc32(b"".join(fit.mapped.array.astype(np.uint8).tobytes() for fit in fits))
    weights = resample_counts(np.random.default_rng((BOOTSTRAP_SEED, seed)), len(fits), RESAMPLES)
    shares = weights / weights.sum(1, keepdims=True)
    return _Gains(
        float(np.mean([g.mapped for g in gains])),
        float(np.mean([g.native for g in gains])),
        np.sum([g.mapped_resamples * shares[:, i] for i, g in enumerate(gains)], axis=0),
        np.sum([g.native_resamples * shares[:, i] for i, g in enumerate(gains)], axis=0),
    )


def _gains(fit: _Fit) -> _Gains:
    mapped, native, base = fit.mapped.array, fit.native.array, fit.baseline.array
    base_rates = fit.resamples.rate(base)
    return _Gains(
        float(mapped.mean() - base.mean()),
        float(native.mean() - base.mean()),
        fit.resamples.rate(mapped) - base_rates,
        fit.resamples.rate(native) - base_rates,
    )


def _mean(scores: Sequence[tuple[float, Floats]]) -> Interval:
    """Return the mean of the tasks' scores, with the interval of the mean of their resamples."""
    resamples = np.mean([resamples for _, resamples in scores], axis=0)
    return Interval(float(np.mean([value for value, _ in scores])), *interval(resamples, skip_nan=True))
