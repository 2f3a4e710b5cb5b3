"""Entries from the outcomes of cells."""

import platform
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from typing import Any

import pyarrow as pa

from graftbench.benchmark.core.escaping import in_one_line
from graftbench.benchmark.core.names import MAX_FIGURE
from graftbench.benchmark.experiments.protocol import Scored
from graftbench.benchmark.mappers.loading import hashes_of
from graftbench.benchmark.metrics.statistics import Resamples
from graftbench.benchmark.models.devices import device_of
from graftbench.benchmark.results.estimates import rate_of, resamples_of, steerable
from graftbench.benchmark.results.rows import judging_cost, rows_with_judging_cost
from graftbench.benchmark.results.schema import (
    NOT_STEERABLE,
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
from graftbench.benchmark.results.transfers import cell_transfer
from graftbench.benchmark.runs.cell import CellOutcome
from graftbench.benchmark.runs.executors.protocol import Failure
from graftbench.benchmark.runs.fit import Fitted
from graftbench.benchmark.runs.plan import Cell, dataset_identities, judges_of_task, task_named
from graftbench.benchmark.runs.request import Request


def cell_result(cell: Cell, outcome: CellOutcome | Failure) -> CellResult:
    """Return the entry's record of one cell, from its outcome."""
    about: dict[str, Any] = {
        "task": cell.task,
        "task_version": task_named(cell.task).version,
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


def _scored(about: dict[str, Any], outcome: CellOutcome) -> CellResult:
    scored = outcome.scored
    return CellResult(
        **about,
        status="ok",
        positions=scored.positions,
        strength=scored.strength,
        n_asked=scored.n_asked,
        n_validation=scored.n_validation,
        models=scored.models,
        fidelity={key: _rounded(value) for key, value in scored.fidelity.items()},
        side_effects=outcome.side_effects,
        **measured(scored, fitted=outcome.fitted is not None),
        **_fit(outcome.fitted),
    )


def measured(scored: Scored, *, fitted: bool) -> dict[str, Any]:
    """Return what follows from the answers of a cell; nothing was `fitted` where nothing can be carried across."""
    summary = scored.summary
    resamples = resamples_of(summary.clusters, summary.bits, scored.baseline)
    reason = _not_steerable(scored, resamples, fitted)
    return {
        "reason": reason,
        "n_prompts": len(summary.prompt_ids),
        "prompt_ids": summary.prompt_ids,
        "clusters": summary.clusters,
        "bits": summary.bits,
        "rates": _rates(scored, resamples),
        "sweep": summary.sweep,
        "examples": summary.examples,
        "transfer": _transfer(scored, reason, resamples),
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


def _not_steerable(scored: Scored, resamples: Resamples, fitted: bool) -> str | None:
    """Return the reason why a cell cannot be steered, None where it can be."""
    if not fitted:  # one of the models has nothing that could be carried across
        return scored.reasons["mapped"]
    return None if steerable(scored.summary.bits, scored.baseline, resamples) else NOT_STEERABLE


def _rates(scored: Scored, resamples: Resamples) -> dict[str, Rate]:
    bits = scored.summary.bits
    rates = {name: _rate(scored, name, resamples) for name in bits}
    missing = {name: why for name, why in scored.reasons.items() if name not in rates}
    return rates | {name: Rate(value=None, low=None, high=None, reason=why) for name, why in missing.items()}


def _rate(scored: Scored, condition: str, resamples: Resamples) -> Rate:
    parts = scored.summary.parts[condition]
    return Rate(
        **vars(rate_of(scored.summary.bits, condition, resamples)),
        gone=round(parts.gone, 4),
        good=round(parts.good, 4),
        equal_clean=_rounded(parts.equal_clean),
        marks={mark: _rounded(share) for mark, share in parts.marks.items()},
        groups={group: round(share, 4) for group, share in parts.groups.items()},
        measures={name: _rounded(value) for name, value in scored.measures.get(condition, {}).items()},
    )


def _transfer(scored: Scored, reason: str | None, resamples: Resamples) -> Transfer:
    bits = scored.summary.bits
    if "mapped" not in bits:
        reason = reason or scored.reasons["mapped"]
    if reason is not None:
        return Transfer(value=None, confidence=None, prediction=None, baseline=scored.baseline, reason=reason)
    return cell_transfer(scored.summary.clusters, bits, scored.baseline, resamples)


def _rounded(value: float | None) -> float | None:
    return None if value is None or not abs(value) <= MAX_FIGURE else round(value, 4)


def entry_of(
    request: Request, cells: Sequence[Cell], results: Sequence[CellResult], tables: Iterable[pa.Table]
) -> Entry:
    """Return the entry of some cells, given the result of each and the tables of their answers."""
    mapper = request.mapper
    tasks = dict.fromkeys(cell.task for cell in cells)
    judges = {name: judges_of_task(request.suite, name) for name in tasks}
    return Entry(
        graftbench_version=version("graftbench"),
        suite=SuiteIdentity(name=request.suite.name, hash=request.suite.hash),
        judges=judges,
        datasets=dataset_identities(request.suite, tasks),
        mapper=MapperRecord(
            name=mapper.name,
            source=mapper.source,
            sha256=mapper.sha256,
            files=hashes_of(mapper),
            options=mapper.options,
            deterministic=mapper.deterministic,
            vector_rule=mapper.vector_rule,
        ),
        judging=judging_cost(rows_with_judging_cost(tables), judges),
        environment=_environment(request),
        headline=headline(results, filtered=bool(request.left_out(cells)), left_out=request.suite.left_out),
        cells=list(results),
    )


def _environment(request: Request) -> dict[str, str]:
    packages = {
        name: version(name)
        for name in ("torch", "transformers", "tokenizers", "numpy", "peft", "accelerate", "sacrebleu")
    }
    isolation = {} if request.isolation is None else {"isolation": request.isolation}
    return (
        packages
        | isolation
        | {
            "python": platform.python_version(),
            "machine": platform.machine(),
            "device": str(device_of(request.device)),
            "dtype": request.suite.dtype,
            "batch_size": str(request.batch_size),
        }
    )
