"""The work of one cell, as a worker process does it: models, experiment, fit, score."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from graftbench.leaderboard.schema import Missing, SideEffects

from .activations import captured
from .budget import Budget
from .errors import UserError
from .experiments.conditions import Answer
from .experiments.setting import Bench
from .fitting import captured_pairs, checked, fitted_mapper, keep, with_reply
from .from_bits import resamples_of, steerable
from .mappers import saving
from .mappers.finding import Found, MapperSpec, find
from .metrics.fidelity import fidelity
from .models import Model, load
from .pairs import Captured, read_pairs
from .plan import Cell
from .plugins import plugin
from .replaced import Replacement, faithful
from .store import Store, digest
from .suite import Suite
from .task import OWN, Carrier, Experiment, Position, Scored, Sites, Task, Tried
from .tokens import Prompt, token_ids
from .zoo.twin import twin_of

NOT_MEASURED, NOT_STEERABLE, A_CHECK = Missing(reason="not_measured"), "not_steerable", "a_check"
MEAN_TEXTS = 100  # over whose tokens a mean activation is taken

Told = Callable[[str, str, int, int], None]  # cell, what, done, of how many


@dataclass(frozen=True)
class Settings:
    """How a run is done, which is no part of what comes out."""

    suite: str  # as JSON
    batch_size: int
    device: str
    cache: str | None
    budget: Budget | None = None

    @property
    def on_gpu(self) -> bool:
        """Whether it is done on a GPU."""
        return self.device.startswith("cuda")

    @property
    def threads(self) -> int:
        """Of torch, in each process: tiny models run fastest on one."""
        return 4 if self.on_gpu else 1


@dataclass(frozen=True)
class Fitted:
    """What is known of a fit: on what, what was put on record, and what the mapper takes up."""

    record: dict[str, Any]
    data_hash: str
    n_pairs: int
    share_aligned: float
    parameters: int
    size: int


@dataclass(frozen=True)
class Prepared:
    """What a worker brings back from what cells share: its answers, and how long they took."""

    answers: tuple[Answer, ...]
    seconds: float


@dataclass(frozen=True)
class Done:
    """What a worker brings back from a cell; nothing was fitted where nothing can be carried across.

    Of the answers it brings those that a mapper has a part in: the others are brought once for all cells.
    """

    scored: Scored
    sites: tuple[int, int] | None
    fitted: Fitted | None
    seconds: dict[str, float]
    side_effects: SideEffects | Missing = NOT_MEASURED


def prepare(cell: Cell, settings: Settings, told: Told) -> Prepared:
    """Do what all cells on the same ground share."""
    started = time.monotonic()
    answers = _experiment(cell, settings, told).prepare()
    return Prepared(tuple(answers), time.monotonic() - started)


def score(
    cell: Cell, settings: Settings, spec: MapperSpec, sha256: str, folder: str, told: Told, share: float = 1.0
) -> Done:
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
        return Done(alone, None, None, {"total": time.monotonic() - started}, Missing(reason=NOT_STEERABLE))
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
    return Done(_of_mapper(scored), experiment.sites, together, seconds | scored.seconds, costs)


def _side_effects(
    cell: Cell, experiment: Experiment, carrier: Carrier, scored: Scored, settings: Settings, told: Told
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
    from .capability.of_cell import costs_of_cell, measures_of

    spec = suite.side_effects
    what = measures_of(spec, suite.max_new_tokens, settings.batch_size)
    at_large = experiment.at_large(carrier, spec.draws)
    return costs_of_cell(_store(settings), at_large, what, lambda name: told(cell.name, f"side effects, {name}", 0, 0))


def _of_mapper(scored: Scored) -> Scored:
    """The same with the answers alone that a mapper has a part in."""
    own = [answer for answer in scored.summary.rows if answer.of_mapper]
    return replace(scored, summary=replace(scored.summary, rows=own))


@dataclass(frozen=True, eq=False)
class _Fit:
    """A mapper fitted at one site."""

    carrier: Carrier
    fitted: Fitted
    seconds: float


def _at(sites: Sites, i: int) -> str:
    """What tells the folder of a further site's mapper from that of the first."""
    return f"_sites_{sites[0]}_{sites[1]}" if i else ""


def _fit(
    experiment: Experiment,
    sites: Sites,
    cell: Cell,
    settings: Settings,
    found: Found,
    folder: str,
    told: Told,
    share: float,
) -> _Fit:
    pairs_folder, data_hash = _pairs(experiment, sites, cell, settings, told, share)
    read = read_pairs(pairs_folder, str(experiment.target.device))
    told(cell.name, "fit", 0, 0)
    fit = fitted_mapper(_store(settings), found, read.pairs, data_hash, cell.seed, settings.device)
    keep(fit.folder, Path(folder))
    mapper = fit.mapper
    held_out = _held_out(experiment, sites, settings).pairs
    carrier = Carrier(
        checked(mapper, read.pairs.d_target, read.pairs.device), found.vector_rule, fit.identity, held_out
    )
    parameters, size = saving.n_parameters(mapper), saving.n_bytes(mapper)
    fitted = Fitted(fit.record, data_hash, len(read.pairs), read.share_aligned, parameters, size)
    return _Fit(carrier, fitted, fit.seconds)


def _together(fits: Sequence[Fitted]) -> Fitted:
    """The first of several fits, with what all of them take up; the others' records stand under their numbers."""
    records = {f"further {i}": fit.record for i, fit in enumerate(fits[1:], start=1)}
    return replace(
        fits[0],
        record=fits[0].record | records,
        data_hash=digest(*(fit.data_hash for fit in fits)) if records else fits[0].data_hash,
        parameters=sum(fit.parameters for fit in fits),
        size=sum(fit.size for fit in fits),
    )


def _fidelity(experiment: Experiment, carrier: Carrier, settings: Settings) -> dict[str, float | None]:
    """How well the target's activations are predicted, and what it does when they are replaced by the predictions."""
    overall = fidelity((carrier.carry(source), target) for source, target in carrier.held_out)
    found: dict[str, float | None] = {"cosine": overall.cosine, "fvu": overall.fvu}
    for (_, site), other in zip(experiment.fit.further, carrier.others, strict=True):
        there = fidelity((other.carry(source), target) for source, target in other.held_out)
        found |= {f"cosine_site_{site}": there.cosine, f"fvu_site_{site}": there.fvu}
    if not experiment.fit.compared:
        return found
    assert experiment.sites is not None
    store = _store(settings)
    prompts = list(dict.fromkeys(prompt for prompt, _ in experiment.fit.held_out))[: experiment.fit.compared]
    replaced = faithful(
        Replacement(experiment.source, experiment.target, experiment.sites, carrier, _mean(experiment, store)),
        prompts,
        store,
        max_new_tokens=Suite.model_validate_json(settings.suite).max_new_tokens,
        batch_size=settings.batch_size,
    )
    return found | {f"replaced_{name}": value for name, value in asdict(replaced).items()}


def _mean(experiment: Experiment, store: Store) -> Tensor:
    """The target's mean activation [d] at its site over texts of the fit split."""
    assert experiment.sites is not None
    target, site = experiment.target, experiment.sites[1]
    texts = [with_reply(p, r, target).text for p, r in experiment.fit.texts("task")[:MEAN_TEXTS]]

    def make() -> list[float]:
        rows = [token_ids(text, target.tokenizer) for text in texts]
        states = torch.cat([states.double().cpu() for _, states in captured(target, rows, site)])
        mean: list[float] = states.mean(0).tolist()
        return mean

    return torch.tensor(store.value("means", [target.identity, target.device.type, site, texts], make))


def try_site(cell: Cell, settings: Settings, told: Told) -> Tried:
    """The native intervention on validation prompts, at the site of the cell's target."""
    return _experiment(cell, settings, told).sweep()


def try_sites(cell: Cell, settings: Settings, told: Told) -> dict[int, Tried]:
    """The native intervention on validation prompts, at every site."""
    sites = range(len(_experiment(cell, settings, told).target.blocks))
    return {site: try_site(replace(cell, sites=(site, site)), settings, told) for site in sites}


def try_positions(cell: Cell, settings: Settings, told: Told) -> dict[Position, Tried]:
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


def _pairs(
    experiment: Experiment, sites: Sites, cell: Cell, settings: Settings, told: Told, share: float
) -> tuple[Path, str]:
    """Where the pairs of the fit split lie, and a hash of what they were captured from."""
    texts = experiment.fit.texts(cell.track)
    return _captured(
        experiment,
        sites,
        texts[: max(2, round(share * len(texts)))],
        settings,
        lambda n, of: told(cell.name, "activations", n, of),
    )


def _held_out(experiment: Experiment, sites: Sites, settings: Settings) -> Captured:
    folder, _ = _captured(experiment, sites, experiment.fit.held_out, settings, lambda *_: None)
    return read_pairs(folder, str(experiment.target.device))


def _captured(
    experiment: Experiment,
    sites: Sites,
    texts: Sequence[tuple[Prompt, str]],
    settings: Settings,
    told: Callable[[int, int], None],
) -> tuple[Path, str]:
    alignment = experiment.fit.alignment or Suite.model_validate_json(settings.suite).alignment
    return captured_pairs(_store(settings), experiment.source, experiment.target, sites, texts, alignment, told)


def _store(settings: Settings) -> Store:
    return Store(Path(settings.cache) if settings.cache else None)
