"""The work of one cell: its experiment, the fit, the score."""

import time
from dataclasses import dataclass, replace
from pathlib import Path

from graftbench.benchmark.experiments.protocol import Scored
from graftbench.benchmark.mappers.fitting import copy_fitted_mapper
from graftbench.benchmark.mappers.hosts import prepare_host
from graftbench.benchmark.mappers.info import MapperInfo
from graftbench.benchmark.results.rows import Answer
from graftbench.benchmark.results.schema import NOT_STEERABLE, Missing
from graftbench.benchmark.runs.context import RunContext
from graftbench.benchmark.runs.fit import Fitted, combined, fidelity_of, fits_of, mapper_of_all
from graftbench.benchmark.runs.folder import MAPPERS
from graftbench.benchmark.runs.plan import Cell

NOT_MEASURED, IS_CHECK = Missing(reason="not_measured"), Missing(reason="a_check")


@dataclass(frozen=True)
class ReferenceOutcome:
    """Answers under the conditions that do not involve the mapper, shared by cells, and the seconds that they took."""

    answers: tuple[Answer, ...]
    seconds: float


@dataclass(frozen=True)
class CellOutcome:
    """The outcome of a cell, with its answers under the conditions that involve the mapper.

    `fitted` is None where source or target has nothing to carry across: then no mapper is fitted. Side effects that are
    asked for are measured later.
    """

    scored: Scored
    sites: tuple[int, int] | None
    fitted: Fitted | None
    seconds: dict[str, float]
    side_effects: Missing = NOT_MEASURED


def run_reference(cell: Cell, context: RunContext) -> ReferenceOutcome:
    """Run all conditions of a cell that do not involve the mapper."""
    started = time.monotonic()
    answers = context.experiment(cell).reference()
    return ReferenceOutcome(tuple(answers), time.monotonic() - started)


def score_cell(cell: Cell, context: RunContext, info: MapperInfo, folder: Path, share: float = 1.0) -> CellOutcome:
    """Fit a mapper on the first `share` of the fit texts, carry the intervention across, and judge its effect.

    The fitted mapper is written into `folder`.
    """
    started = time.monotonic()
    prepare_host(info, context.settings.device, context.settings.isolation)
    experiment = context.experiment(cell)
    fits = fits_of(experiment, cell, context, info, share)
    if not fits:
        scored = _of_mapper(experiment.score(None))
        return CellOutcome(scored, None, None, {"total": time.monotonic() - started}, Missing(reason=NOT_STEERABLE))
    for i, fit in enumerate(fits):
        copy_fitted_mapper(fit.folder, folder / MAPPERS / f"{cell.folder}{_suffix(fit.sites, i)}")
    mapper = mapper_of_all(fits)
    scored = experiment.score(mapper)
    scored.fidelity.update(fidelity_of(experiment, mapper, context))
    seconds = {"fit": sum(fit.seconds for fit in fits), "total": time.monotonic() - started}
    fitted = combined([fit.fitted for fit in fits])
    own = IS_CHECK if cell.side_effects and cell.check else NOT_MEASURED
    return CellOutcome(_of_mapper(scored), experiment.sites, fitted, seconds | scored.seconds, own)


def _suffix(sites: tuple[int, int], i: int) -> str:
    """Return the suffix of the folder of the mapper at the `i`-th pair of sites; empty for the first."""
    return f"_sites_{sites[0]}_{sites[1]}" if i else ""


def _of_mapper(scored: Scored) -> Scored:
    """Leave out the answers that do not involve the mapper: `run_reference` returns them, once for all cells."""
    own = [answer for answer in scored.summary.rows if answer.of_mapper]
    return replace(scored, summary=replace(scored.summary, rows=own))
