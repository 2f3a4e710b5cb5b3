"""The work of one cell: its experiment, the fit, the score, the side effects."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from graftbench.benchmark.experiments.protocol import Experiment, Scored
from graftbench.benchmark.mappers.hosts import prepare_host
from graftbench.benchmark.mappers.info import MapperInfo
from graftbench.benchmark.mappers.protocol import FittedMapper
from graftbench.benchmark.results.estimates import resamples_of, steerable
from graftbench.benchmark.results.rows import Answer
from graftbench.benchmark.results.schema import NOT_STEERABLE, Missing, SideEffects
from graftbench.benchmark.runs.context import RunContext
from graftbench.benchmark.runs.executors.worker import report
from graftbench.benchmark.runs.fit import Fitted, combined, fidelity_of, fit_at
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

    `fitted` is None where source or target has nothing to carry across: then no mapper is fitted.
    """

    scored: Scored
    sites: tuple[int, int] | None
    fitted: Fitted | None
    seconds: dict[str, float]
    side_effects: SideEffects | Missing = NOT_MEASURED


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
    sites = experiment.fit_data.sites or experiment.sites
    if sites is None:
        scored = _of_mapper(experiment.score(None))
        return CellOutcome(scored, None, None, {"total": time.monotonic() - started}, Missing(reason=NOT_STEERABLE))
    fits = [
        fit_at(experiment, one, cell, context, info, folder / MAPPERS / f"{cell.folder}{_suffix(one, i)}", share)
        for i, one in enumerate((sites, *experiment.fit_data.further))
    ]
    mapper = _of_all_sites([fit.mapper for fit in fits])
    scored = experiment.score(mapper)
    scored.fidelity.update(fidelity_of(experiment, mapper, context))
    before = time.monotonic()
    costs = _side_effects(cell, experiment, mapper, scored, context)
    seconds = {
        "fit": sum(fit.seconds for fit in fits),
        "side_effects": time.monotonic() - before,
        "total": time.monotonic() - started,
    }
    fitted = combined([fit.fitted for fit in fits])
    return CellOutcome(_of_mapper(scored), experiment.sites, fitted, seconds | scored.seconds, costs)


def _of_all_sites(mappers: Sequence[FittedMapper]) -> FittedMapper:
    """Return the mapper of the first pair of sites with those of the further ones, and its refit with theirs."""
    first, *others = mappers
    refits = [each.shuffled for each in mappers if each.shuffled is not None]
    shuffled = _of_all_sites(refits) if refits else None
    return replace(first, others=tuple(others), shuffled=shuffled)


def _suffix(sites: tuple[int, int], i: int) -> str:
    """Return the suffix of the folder of the mapper at the `i`-th pair of sites; empty for the first."""
    return f"_sites_{sites[0]}_{sites[1]}" if i else ""


def _of_mapper(scored: Scored) -> Scored:
    """Leave out the answers that do not involve the mapper: `run_reference` returns them, once for all cells."""
    own = [answer for answer in scored.summary.rows if answer.of_mapper]
    return replace(scored, summary=replace(scored.summary, rows=own))


def _side_effects(
    cell: Cell, experiment: Experiment, mapper: FittedMapper, scored: Scored, context: RunContext
) -> SideEffects | Missing:
    """Measure the side effects of a cell, where the suite asks for them and the cell can be steered."""
    suite = context.suite
    if suite.side_effects is None or not cell.side_effects:
        return NOT_MEASURED
    if cell.check:
        return IS_CHECK
    summary = scored.summary
    resamples = resamples_of(summary.clusters, summary.bits, scored.baseline)
    if not steerable(summary.bits, scored.baseline, resamples):
        return Missing(reason=NOT_STEERABLE)
    from graftbench.benchmark.capability.measures import measures_of
    from graftbench.benchmark.capability.side_effects import side_effects_of_cell

    spec = suite.side_effects
    measures = measures_of(spec, suite.max_new_tokens, context.settings.n_rows)
    conditions = experiment.on_any_text(mapper, spec.draws)
    return side_effects_of_cell(
        context.store, conditions, measures, lambda what, done, of: report(f"side effects, {what}", done, of)
    )
