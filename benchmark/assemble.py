"""From what the workers bring back to the cells and the headline of an entry."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from graftbench.leaderboard.schema import Cell as CellResult
from graftbench.leaderboard.schema import Cost, Headline, Rate, Score, TaskScore, Training, Transfer

from .metrics.effects import (
    RESAMPLES,
    Bits,
    Floats,
    Interval,
    Resamples,
    counts_of,
    difference,
    one_of,
    transfer,
)
from .metrics.intervals import wilson
from .plan import Cell
from .plugins import plugin
from .pool import Failure
from .steerable import BOOTSTRAP_SEED, bits_of, resamples_of, steerable
from .task import Scored
from .work import NOT_STEERABLE, Done, Fitted

LEFT_OUT = "cells of the suite were left out"
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
    }
    if isinstance(outcome, Failure):
        about |= {"sites": cell.sites, "traceback": outcome.trace or None}
        return CellResult(**about, status=outcome.status, reason=outcome.reason)
    return _scored(about | {"sites": outcome.sites}, outcome)


def _scored(about: dict[str, Any], done: Done) -> CellResult:
    scored = done.scored
    return CellResult(
        **about,
        status="ok",
        positions=scored.positions,
        strength=scored.strength,
        n_asked=scored.n_asked,
        n_validation=scored.n_validation,
        models=scored.models,
        fidelity={key: _rounded(value) for key, value in scored.fidelity.items()},
        side_effects=done.side_effects,
        **measured(scored, fitted=done.fitted is not None),
        **_fit(done.fitted),
    )


def measured(scored: Scored, *, fitted: bool) -> dict[str, Any]:
    """What a cell holds of its answers; nothing was `fitted` where there was nothing to carry across."""
    summary = scored.summary
    drawn = resamples_of(summary.clusters, summary.bits, scored.baseline)
    reason = _not_steerable(scored, fitted)
    return {
        "reason": reason,
        "n_prompts": len(summary.prompt_ids),
        "prompt_ids": summary.prompt_ids,
        "clusters": summary.clusters,
        "bits": summary.bits,
        "rates": _rates(scored, drawn),
        "transfer": _transfer(scored, reason, drawn),
        "steerable": reason is None,
    }


def _fit(fitted: Fitted | None) -> dict[str, Any]:
    if fitted is None:
        return {}
    return {
        "training": Training(data_hash=fitted.data_hash, record=fitted.record),
        "cost": Cost(
            parameters=fitted.parameters,
            bytes=fitted.size,
            pairs=fitted.n_pairs,
            share_aligned=round(fitted.share_aligned, 4),
        ),
    }


def _not_steerable(scored: Scored, fitted: bool) -> str | None:
    """Why a cell cannot be steered, None where it can be."""
    if not fitted:  # one of the models has nothing that could be carried across
        return scored.reasons["mapped"]
    return None if steerable(scored) else NOT_STEERABLE


def _rates(scored: Scored, drawn: Resamples) -> dict[str, Rate]:
    bits = scored.summary.bits
    found = {name: _rate(scored, name, drawn) for name in bits}
    missing = {name: why for name, why in scored.reasons.items() if name not in found}
    return found | {name: Rate(value=None, low=None, high=None, reason=why) for name, why in missing.items()}


def _rate(scored: Scored, condition: str, drawn: Resamples) -> Rate:
    bits, parts = bits_of(scored.summary.bits, condition), scored.summary.parts[condition]
    low, high = wilson(int(bits.sum()), bits.size) if len(bits) == 1 else _spread(bits, drawn)
    return Rate(
        value=round(float(bits.mean()), 4),
        low=round(low, 4),
        high=round(high, 4),
        gone=round(parts.gone, 4),
        good=round(parts.good, 4),
        equal_clean=_rounded(parts.equal_clean),
        marks={mark: _rounded(share) for mark, share in parts.marks.items()},
        groups={group: round(share, 4) for group, share in parts.groups.items()},
        measures={name: _rounded(value) for name, value in scored.measures.get(condition, {}).items()},
    )


def _spread(bits: Bits, drawn: Resamples) -> tuple[float, float]:
    if len(bits) != drawn.draws.shape[1]:
        draws = one_of(np.random.default_rng((BOOTSTRAP_SEED, len(bits))), len(bits), len(drawn.clusters))
        drawn = Resamples(drawn.clusters, draws, drawn.member)
    low, high = np.quantile(drawn.rate(bits), [0.025, 0.975])
    return float(low), float(high)


def _transfer(scored: Scored, reason: str | None, drawn: Resamples) -> Transfer:
    bits = scored.summary.bits
    if "mapped" not in bits:
        reason = reason or scored.reasons["mapped"]
    if reason is not None:
        return Transfer(value=None, low=None, high=None, baseline=scored.baseline, reason=reason)
    mapped, native, baseline = (bits_of(bits, c) for c in ("mapped", "native", scored.baseline))
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
        return f"{len(few)} of {len(counted)} cells have fewer than {least}"
    steerable = [cell for cell in counted if cell.steerable]
    if not steerable:
        return "no cell can be steered"
    nothing = [cell for cell in steerable if "mapped" not in cell.bits]
    return nothing[0].rates["mapped"].reason if nothing else None


Gains = tuple[float, float, Floats, Floats]  # mapped and native above the baseline, and their resamples


def _task_score(cells: Sequence[CellResult]) -> tuple[TaskScore, tuple[float, Floats] | None]:
    steerable = [cell for cell in cells if cell.steerable and cell.status == "ok"]
    counts = {"n_steerable": len(steerable), "n_cells": len(cells)}
    if _why_not(cells) is not None:
        return TaskScore(score=None, low=None, high=None, **counts), None
    gains = [_over_seeds(fits, i) for i, fits in enumerate(_by_fit(steerable))]
    value = 100 * sum(g[0] for g in gains) / sum(g[1] for g in gains)
    resamples = 100 * np.sum([g[2] for g in gains], axis=0) / np.sum([g[3] for g in gains], axis=0)
    low, high = np.quantile(resamples, [0.025, 0.975])
    score = TaskScore(score=round(value, 4), low=round(float(low), 4), high=round(float(high), 4), **counts)
    return score, (value, resamples)


def _by_fit(cells: Sequence[CellResult]) -> list[list[CellResult]]:
    """The cells that differ in the mapper's seed alone."""
    found: dict[tuple[str, str, str], list[CellResult]] = {}
    for cell in cells:
        found.setdefault((cell.variant, cell.pair, cell.track), []).append(cell)
    return list(found.values())


def _over_seeds(fits: Sequence[CellResult], stream: int) -> Gains:
    """The mean over the mapper's seeds, which are drawn again as prompts and draws are."""
    gains = [_gains(cell) for cell in fits]
    weights = counts_of(np.random.default_rng((BOOTSTRAP_SEED, stream)), len(fits), RESAMPLES)
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
    low, high = np.quantile(resamples, [0.025, 0.975])
    return Interval(float(np.mean([value for value, _ in scores])), float(low), float(high))
