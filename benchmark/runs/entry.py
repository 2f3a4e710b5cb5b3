"""From what the workers bring back to the cells and the headline of an entry."""

import platform
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from typing import Any

import pyarrow as pa

from graftbench.benchmark.core.names import MOST
from graftbench.benchmark.core.plugins import plugin
from graftbench.benchmark.core.text import in_one_line
from graftbench.benchmark.experiments.protocol import Scored
from graftbench.benchmark.mappers.loading import MapperInfo, hashes_of
from graftbench.benchmark.metrics.statistics import Resamples
from graftbench.benchmark.models.load import device_of
from graftbench.benchmark.results.estimates import rate_of, resamples_of, steerable, transfer_of
from graftbench.benchmark.results.rows import rows_that_took, what_they_took
from graftbench.benchmark.results.schema import (
    CellResult,
    Entry,
    FitRecord,
    MapperCost,
    MapperRecord,
    Rate,
    SuiteIdentity,
    Transfer,
)
from graftbench.benchmark.results.scores import headline
from graftbench.benchmark.runs.cell import NOT_STEERABLE, CellOutcome
from graftbench.benchmark.runs.executors.protocol import Failure
from graftbench.benchmark.runs.fit import Fitted
from graftbench.benchmark.runs.plan import Cell
from graftbench.benchmark.runs.request import Request


def cell_result(cell: Cell, outcome: CellOutcome | Failure) -> CellResult:
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


def _scored(about: dict[str, Any], done: CellOutcome) -> CellResult:
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
        "training": FitRecord(data_hash=fitted.data_hash, record=fitted.record),
        "cost": MapperCost(
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


def entry_of(
    request: Request,
    found: MapperInfo,
    cells: Sequence[Cell],
    results: Sequence[CellResult],
    tables: Iterable[pa.Table],
) -> Entry:
    """The entry of these cells, given the result of each and the tables of their answers."""
    tasks = dict.fromkeys(cell.task for cell in cells)
    judges = {name: plugin("tasks", name)().judges(request.suite.tasks[name].judges) for name in tasks}
    return Entry(
        graftbench_version=version("graftbench"),
        suite=SuiteIdentity(name=request.suite.name, hash=request.suite.hash),
        judges=judges,
        mapper=MapperRecord(
            name=found.name,
            source=request.mapper.source,
            sha256=found.sha256,
            files=hashes_of(found),
            options=found.options,
            deterministic=found.deterministic,
            vector_rule=found.vector_rule,
        ),
        judging=what_they_took(rows_that_took(tables), judges),
        environment=_environment(request),
        headline=headline(results, filtered=bool(request.left_out(found, cells))),
        cells=list(results),
    )


def _environment(request: Request) -> dict[str, str]:
    packages = {name: version(name) for name in ("torch", "transformers", "tokenizers", "numpy", "peft", "sacrebleu")}
    return packages | {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "device": str(device_of(request.device)),
        "dtype": request.suite.dtype,
        "batch_size": str(request.batch_size),
    }
