"""The fit of one cell's mapper."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from graftbench.benchmark.activations.cached import captured_pairs
from graftbench.benchmark.activations.pairs import CapturedPairs, read_pairs
from graftbench.benchmark.core.hashing import digest
from graftbench.benchmark.data.examples import Prompt
from graftbench.benchmark.experiments.protocol import Experiment
from graftbench.benchmark.mappers import saving
from graftbench.benchmark.mappers.fitting import checked, fitted_mapper, keep
from graftbench.benchmark.mappers.loading import MapperInfo
from graftbench.benchmark.mappers.protocol import FittedMapper
from graftbench.benchmark.models.architectures import Sites
from graftbench.benchmark.runs.plan import Cell
from graftbench.benchmark.runs.request import Settings, Told, _store
from graftbench.benchmark.runs.suite import Suite


@dataclass(frozen=True)
class Fitted:
    """What is known of a fit: on what, what was put on record, and what the mapper takes up."""

    record: dict[str, Any]
    data_hash: str
    n_pairs: int
    share_aligned: float
    parameters: int
    size: int


@dataclass(frozen=True, eq=False)
class _Fit:
    """A mapper fitted at one site."""

    carrier: FittedMapper
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
    found: MapperInfo,
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
    carrier = FittedMapper(
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


def _held_out(experiment: Experiment, sites: Sites, settings: Settings) -> CapturedPairs:
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
