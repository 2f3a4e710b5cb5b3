"""Scores of a mapper: its transfer pooled over cells, times 100. The headline of an entry has those that need no other.

`fitted` is over the track `task`. The other number, `carried`, needs the entries of memory, and is the leaderboard's.
"""

from collections.abc import Callable, Mapping, Sequence
from math import isinf

from graftbench.benchmark.data.tracks import USUAL_TRACKS
from graftbench.benchmark.metrics.null_band import null_band
from graftbench.benchmark.metrics.pooled import Pooled
from graftbench.benchmark.metrics.ratio import interval_of
from graftbench.benchmark.results.pooling import Place, Pooling, by_place, place_of
from graftbench.benchmark.results.schema import CellResult, Headline, Score, TrackScores

CELLS_LEFT_OUT = "cells of the suite were left out"
MIN_TEST_PROMPTS, MIN_VALIDATION_PROMPTS = 128, 64  # of a cell that counts
FITTED_TRACK = "task"
_NOTHING_LEFT_OUT: Mapping[str, str] = {}


def headline(
    cells: Sequence[CellResult], *, filtered: bool = False, left_out: Mapping[str, str] = _NOTHING_LEFT_OUT
) -> Headline:
    """Return the score `fitted`, and scores by task and pair on each track.

    Check cells never enter, nor do those that are `left_out`, named as `task variant pair`. `fitted` is null where
    cells of the suite are missing (`filtered`), failed, or had too few prompts; failed cells of other tracks than
    `task`, `unseen` and `general` do not matter.
    """
    counted = [cell for cell in cells if not cell.check]
    # A mapper that fails on any of the usual tracks is ranked nowhere. On the others it may need more than there is.
    needed = [cell for cell in counted if cell.track in USUAL_TRACKS] or counted
    failed = sum(cell.status != "ok" for cell in needed)
    unranked = CELLS_LEFT_OUT if filtered else None
    if failed:
        unranked = f"{failed} of {len(needed)} cells failed"
    unranked = unranked or reason_for_none(needed)
    pooling = Pooling.over(counted)
    by_track = _groups(counted, lambda cell: cell.track)
    return Headline(
        reason=unranked,
        n_steerable=sum(bool(cell.steerable) for cell in counted),
        n_cells=len(counted),
        left_out=dict(left_out),
        fitted=_fitted(by_track.get(FITTED_TRACK, []), unranked, left_out, pooling),
        by_track={track: _of_track(own, left_out, pooling) for track, own in by_track.items()},
    )


def _fitted(cells: Sequence[CellResult], unranked: str | None, left_out: Mapping[str, str], pooling: Pooling) -> Score:
    if unranked is not None:
        return no_score(unranked)
    return _score(cells, left_out, pooling) if cells else no_score(f"the suite has no track {FITTED_TRACK}")


def _of_track(cells: Sequence[CellResult], left_out: Mapping[str, str], pooling: Pooling) -> TrackScores:
    parts = [_groups(cells, lambda cell: cell.task), _groups(cells, lambda cell: cell.pair)]
    tasks, pairs = ({name: _score(own, left_out, pooling) for name, own in part.items()} for part in parts)
    return TrackScores(by_task=tasks, by_pair=pairs)


def _groups(cells: Sequence[CellResult], part_of: Callable[[CellResult], str]) -> dict[str, list[CellResult]]:
    groups: dict[str, list[CellResult]] = {}
    for cell in cells:
        groups.setdefault(part_of(cell), []).append(cell)
    return groups


def score_of(cells: Sequence[CellResult]) -> Score:
    """Return the score of some cells, checks apart, on their own."""
    counted = [cell for cell in cells if not cell.check]
    return _score(counted, _NOTHING_LEFT_OUT, Pooling.over(counted))


def _score(cells: Sequence[CellResult], left_out: Mapping[str, str], pooling: Pooling) -> Score:
    reason = reason_for_none(cells)
    if reason is not None:
        return no_score(reason)
    places = by_place(_of_shared_seeds([cell for cell in cells if counts(cell, left_out)]))
    if not places:
        return no_score("no cell that counts can be steered")
    return score_of_pooled(pooling.pool([pooling.part(seeds, None) for seeds in places.values()]))


def _of_shared_seeds(cells: Sequence[CellResult]) -> list[CellResult]:
    """Return the cells, each once, with the seeds that every place has: a run of some cells may lack others."""
    places: dict[Place, dict[int, CellResult]] = {}
    for cell in cells:
        places.setdefault(place_of(cell), {}).setdefault(cell.seed, cell)
    shared = set.intersection(*map(set, places.values())) if places else set()
    return [cell for seeds in places.values() for seed, cell in seeds.items() if seed in shared]


def counts(cell: CellResult, left_out: Mapping[str, str]) -> bool:
    """Return whether a cell enters a score."""
    named = f"{cell.task} {cell.variant} {cell.pair}"
    return bool(cell.steerable) and cell.status == "ok" and not cell.check and named not in left_out


def score_of_pooled(pooled: Pooled) -> Score:
    """Return a pooled transfer as a score, with its interval and what random vectors would score."""
    references = pooled.references
    n_prompts = round(references.possible * references.n_prompts)
    if pooled.gain <= 0:
        return no_score("memory does all that native does", len(pooled.parts), n_prompts)
    low, high = interval_of(pooled)
    band = None if isinf(low) or isinf(high) else null_band(references, len(pooled.by_seed))
    if band is None:
        return no_score("native's gain may be nothing", len(pooled.parts), n_prompts)
    score, low, high, null_low, null_high = (round(100 * each, 4) for each in (pooled.value, low, high, *band))
    return Score(
        score=score,
        low=low,
        high=high,
        null_low=null_low,
        null_high=null_high,
        reason=None,
        n_cells=len(pooled.parts),
        n_prompts=n_prompts,
    )


def no_score(reason: str, n_cells: int = 0, n_prompts: int = 0) -> Score:
    """Return a score that is missing."""
    none = dict.fromkeys(("score", "low", "high", "null_low", "null_high"))
    return Score(**none, reason=reason, n_cells=n_cells, n_prompts=n_prompts)


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
