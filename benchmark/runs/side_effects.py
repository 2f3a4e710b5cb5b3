"""The side effects of a cell, and those of its reference: of all conditions without the mapper, which cells share."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from graftbench.benchmark.experiments.protocol import AnyText, Experiment
from graftbench.benchmark.mappers.hosts import prepare_host
from graftbench.benchmark.mappers.info import MapperInfo
from graftbench.benchmark.results.estimates import resamples_of, steerable
from graftbench.benchmark.results.rows import Answer, scored_everywhere
from graftbench.benchmark.results.schema import NOT_STEERABLE, Missing, SideEffects
from graftbench.benchmark.results.summary import summarise
from graftbench.benchmark.runs.context import RunContext
from graftbench.benchmark.runs.executors.worker import report
from graftbench.benchmark.runs.fit import fit_sites, fits_of, mapper_of_all
from graftbench.benchmark.runs.plan import Cell


@dataclass(frozen=True)
class SideEffectsOutcome:
    """The side effects of a cell, given whether it can be steered, and the seconds that they took."""

    side_effects: SideEffects | Missing
    steerable: bool | None
    seconds: float


def run_reference_side_effects(cell: Cell, context: RunContext) -> float:
    """Measure and cache the side effects of all conditions that do not involve the mapper; return the seconds.

    Nothing is measured where no cell of this reference can be steered.
    """
    started = time.monotonic()
    experiment = context.experiment(cell)
    if fit_sites(experiment) is not None and _native_works(experiment, experiment.reference()):
        _measure(experiment.on_any_text(None, _draws(context)), context)
    return time.monotonic() - started


def run_side_effects(
    cell: Cell, context: RunContext, info: MapperInfo, can_be_steered: bool | None
) -> SideEffectsOutcome:
    """Measure the side effects of a cell that was scored; of conditions without the mapper they are in the cache."""
    if not can_be_steered:
        return SideEffectsOutcome(Missing(reason=NOT_STEERABLE), can_be_steered, 0.0)
    started = time.monotonic()
    prepare_host(info, context.settings.device, context.settings.isolation)
    experiment = context.experiment(cell)
    mapper = mapper_of_all(fits_of(experiment, cell, context, info))
    measured = _measure(experiment.on_any_text(mapper, _draws(context)), context)
    return SideEffectsOutcome(measured, can_be_steered, time.monotonic() - started)


def _native_works(experiment: Experiment, answers: Sequence[Answer]) -> bool:
    """Return whether native significantly beats the baseline, on the prompts that are scored without a mapper."""
    test = [answer for answer in answers if answer.split == "test"]
    summary = summarise(test, experiment.test, sorted(scored_everywhere(test)), {})
    if not {"native", experiment.baseline} <= summary.bits.keys():
        return False
    resamples = resamples_of(summary.clusters, summary.bits, experiment.baseline)
    return steerable(summary.bits, experiment.baseline, resamples)


def _draws(context: RunContext) -> int:
    assert context.suite.side_effects is not None
    return context.suite.side_effects.draws


def _measure(conditions: AnyText, context: RunContext) -> SideEffects:
    from graftbench.benchmark.capability.measures import measures_of
    from graftbench.benchmark.capability.side_effects import side_effects_of_cell

    assert context.suite.side_effects is not None
    measures = measures_of(context.suite.side_effects, context.suite.max_new_tokens, context.settings.n_rows)
    return side_effects_of_cell(
        context.store, conditions, measures, lambda what, done, of: report(f"side effects, {what}", done, of)
    )
