"""The work of one cell, as a worker process does it: models, experiment, fit, score."""

import time
from dataclasses import dataclass, replace
from functools import cache

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.plugins import plugin
from graftbench.benchmark.experiments.bench import Bench
from graftbench.benchmark.experiments.protocol import OWN, Experiment, Scored, SweepPoint, Task
from graftbench.benchmark.mappers.loading import MapperSpec, find
from graftbench.benchmark.mappers.protocol import FittedMapper
from graftbench.benchmark.models.load import Model, load
from graftbench.benchmark.models.tokens import Position
from graftbench.benchmark.models.twin import twin_of
from graftbench.benchmark.results.answers import Answer
from graftbench.benchmark.results.estimates import resamples_of, steerable
from graftbench.benchmark.results.schema import Missing, SideEffects
from graftbench.benchmark.runs.fidelity import _fidelity
from graftbench.benchmark.runs.fit import Fitted, _at, _fit, _together
from graftbench.benchmark.runs.plan import Cell
from graftbench.benchmark.runs.request import Settings, Told, _store
from graftbench.benchmark.runs.suite import Suite

NOT_MEASURED, NOT_STEERABLE, A_CHECK = Missing(reason="not_measured"), "not_steerable", "a_check"


@dataclass(frozen=True)
class ReferenceOutcome:
    """What a worker brings back from what cells share: its answers, and how long they took."""

    answers: tuple[Answer, ...]
    seconds: float


@dataclass(frozen=True)
class CellOutcome:
    """What a worker brings back from a cell; nothing was fitted where nothing can be carried across.

    Of the answers it brings those that a mapper has a part in: the others are brought once for all cells.
    """

    scored: Scored
    sites: tuple[int, int] | None
    fitted: Fitted | None
    seconds: dict[str, float]
    side_effects: SideEffects | Missing = NOT_MEASURED


def prepare(cell: Cell, settings: Settings, told: Told) -> ReferenceOutcome:
    """Do what all cells on the same ground share."""
    started = time.monotonic()
    answers = _experiment(cell, settings, told).prepare()
    return ReferenceOutcome(tuple(answers), time.monotonic() - started)


def score(
    cell: Cell, settings: Settings, spec: MapperSpec, sha256: str, folder: str, told: Told, share: float = 1.0
) -> CellOutcome:
    """Fit the mapper, whose source has this hash, carry the intervention across, and judge what it does.

    Only the first `share` of the fit texts are used.
    """
    started = time.monotonic()
    experiment = _experiment(cell, settings, told)
    found = find(spec)
    if found.sha256 != sha256:
        raise UserError(f"{spec.source} was changed while the run was going on. Start it again.")
    sites = experiment.fit.sites or experiment.sites
    if sites is None:
        alone = _of_mapper(experiment.score(None))
        return CellOutcome(alone, None, None, {"total": time.monotonic() - started}, Missing(reason=NOT_STEERABLE))
    fits = [
        _fit(experiment, one, cell, settings, found, f"{folder}/mappers/{cell.folder}{_at(one, i)}", told, share)
        for i, one in enumerate((sites, *experiment.fit.further))
    ]
    carrier = replace(fits[0].carrier, others=tuple(fit.carrier for fit in fits[1:]))
    scored = experiment.score(carrier)
    scored.fidelity.update(_fidelity(experiment, carrier, settings))
    before = time.monotonic()
    costs = _side_effects(cell, experiment, carrier, scored, settings, told)
    seconds = {
        "fit": sum(fit.seconds for fit in fits),
        "side_effects": time.monotonic() - before,
        "total": time.monotonic() - started,
    }
    together = _together([fit.fitted for fit in fits])
    return CellOutcome(_of_mapper(scored), experiment.sites, together, seconds | scored.seconds, costs)


def _side_effects(
    cell: Cell, experiment: Experiment, carrier: FittedMapper, scored: Scored, settings: Settings, told: Told
) -> SideEffects | Missing:
    """What the cell's interventions cost, where the suite asks for it and the cell can be steered."""
    suite = Suite.model_validate_json(settings.suite)
    if suite.side_effects is None:
        return NOT_MEASURED
    if cell.check:
        return Missing(reason=A_CHECK)
    summary = scored.summary
    drawn = resamples_of(summary.clusters, summary.bits, scored.baseline)
    if not steerable(summary.bits, scored.baseline, drawn):
        return Missing(reason=NOT_STEERABLE)
    from graftbench.benchmark.capability.side_effects import costs_of_cell, measures_of

    spec = suite.side_effects
    what = measures_of(spec, suite.max_new_tokens, settings.batch_size)
    on_any_text = experiment.on_any_text(carrier, spec.draws)
    return costs_of_cell(
        _store(settings), on_any_text, what, lambda name: told(cell.name, f"side effects, {name}", 0, 0)
    )


def _of_mapper(scored: Scored) -> Scored:
    """The same with the answers alone that a mapper has a part in."""
    own = [answer for answer in scored.summary.rows if answer.of_mapper]
    return replace(scored, summary=replace(scored.summary, rows=own))


def try_site(cell: Cell, settings: Settings, told: Told) -> SweepPoint:
    """The native intervention on validation prompts, at the site of the cell's target."""
    return _experiment(cell, settings, told).sweep()


def try_sites(cell: Cell, settings: Settings, told: Told) -> dict[int, SweepPoint]:
    """The native intervention on validation prompts, at every site."""
    sites = range(len(_experiment(cell, settings, told).target.blocks))
    return {site: try_site(replace(cell, sites=(site, site)), settings, told) for site in sites}


def try_positions(cell: Cell, settings: Settings, told: Told) -> dict[Position, SweepPoint]:
    """The native intervention on validation prompts, at every position that may be tried."""
    positions = _experiment(cell, settings, told).positions
    if not positions:
        raise UserError(f"{cell.name} has no position that could be tried: no direction was found anywhere.")
    return {p: _experiment(cell, settings, told, None if p == OWN else p).sweep() for p in positions}


def _experiment(cell: Cell, settings: Settings, told: Told, position: Position = None) -> Experiment:
    suite = Suite.model_validate_json(settings.suite)
    task: Task = plugin("tasks", cell.task)()
    store = _store(settings)
    bench = Bench(
        store,
        settings.batch_size,
        suite.max_new_tokens,
        lambda what, done, of: told(cell.name, what, done, of),
        settings.budget,
    )
    told(cell.name, "models", 0, 0)
    ordered = replace(cell.ordered, position=position)
    return task.experiment(ordered, lambda family, version: _model(settings, family, version), bench)


@cache
def _model(settings: Settings, family: str, version: str) -> Model:
    suite = Suite.model_validate_json(settings.suite)
    spec = suite.spec(family, version)
    if spec.twin_of is not None:
        return twin_of(_model(settings, spec.twin_of, version), spec.seed)
    assert spec.model is not None
    return load(
        spec.model,
        revision=spec.revision,
        dtype=suite.dtype,
        device=settings.device,
        blocks=spec.blocks,
        writers=spec.writers,
    )
