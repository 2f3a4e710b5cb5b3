"""From what the workers bring back to the cells and the headline of an entry."""

from typing import Any

from graftbench.leaderboard.names import MOST
from graftbench.leaderboard.schema import Cell as CellResult
from graftbench.leaderboard.schema import Cost, Rate, Training, Transfer

from .from_bits import rate_of, resamples_of, steerable, transfer_of
from .metrics.effects import Resamples
from .plan import Cell
from .plugins import plugin
from .pool import Failure
from .task import Scored
from .visible import in_one_line
from .work import NOT_STEERABLE, Done, Fitted


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
        return CellResult(**about, status=outcome.status, reason=in_one_line(outcome.reason))
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
    reason = _not_steerable(scored, drawn, fitted)
    return {
        "reason": reason,
        "n_prompts": len(summary.prompt_ids),
        "prompt_ids": summary.prompt_ids,
        "clusters": summary.clusters,
        "bits": summary.bits,
        "rates": _rates(scored, drawn),
        "sweep": summary.sweep,
        "examples": summary.examples,
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


def _not_steerable(scored: Scored, drawn: Resamples, fitted: bool) -> str | None:
    """Why a cell cannot be steered, None where it can be."""
    if not fitted:  # one of the models has nothing that could be carried across
        return scored.reasons["mapped"]
    return None if steerable(scored.summary.bits, scored.baseline, drawn) else NOT_STEERABLE


def _rates(scored: Scored, drawn: Resamples) -> dict[str, Rate]:
    bits = scored.summary.bits
    found = {name: _rate(scored, name, drawn) for name in bits}
    missing = {name: why for name, why in scored.reasons.items() if name not in found}
    return found | {name: Rate(value=None, low=None, high=None, reason=why) for name, why in missing.items()}


def _rate(scored: Scored, condition: str, drawn: Resamples) -> Rate:
    parts = scored.summary.parts[condition]
    return Rate(
        **vars(rate_of(scored.summary.bits, condition, drawn)),
        gone=round(parts.gone, 4),
        good=round(parts.good, 4),
        equal_clean=_rounded(parts.equal_clean),
        marks={mark: _rounded(share) for mark, share in parts.marks.items()},
        groups={group: round(share, 4) for group, share in parts.groups.items()},
        measures={name: _rounded(value) for name, value in scored.measures.get(condition, {}).items()},
    )


def _transfer(scored: Scored, reason: str | None, drawn: Resamples) -> Transfer:
    bits = scored.summary.bits
    if "mapped" not in bits:
        reason = reason or scored.reasons["mapped"]
    if reason is not None:
        return Transfer(value=None, low=None, high=None, baseline=scored.baseline, reason=reason)
    return Transfer(**vars(transfer_of(bits, scored.baseline, drawn)), baseline=scored.baseline, reason=None)


def _rounded(value: float | None) -> float | None:
    return None if value is None or not abs(value) <= MOST else round(value, 4)
