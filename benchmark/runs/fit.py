"""The fit of one cell's mapper."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from graftbench.benchmark.activations.cached import cached_pairs
from graftbench.benchmark.activations.pairs import read_pairs
from graftbench.benchmark.core.hashing import digest
from graftbench.benchmark.data.examples import Prompt
from graftbench.benchmark.experiments.protocol import Experiment
from graftbench.benchmark.mappers import saving
from graftbench.benchmark.mappers.fitting import checked_map_on_device, copy_fitted_mapper, fit_mapper
from graftbench.benchmark.mappers.info import MapperInfo
from graftbench.benchmark.mappers.protocol import FittedMapper
from graftbench.benchmark.models.architectures import Sites
from graftbench.benchmark.runs.context import RunContext
from graftbench.benchmark.runs.executors.worker import report
from graftbench.benchmark.runs.plan import Cell


@dataclass(frozen=True)
class Fitted:
    """A fit's record: its data, what the mapper put on record, and how large the mapper is."""

    record: dict[str, Any]
    data_hash: str
    n_pairs: int
    share_aligned: float
    parameters: int
    size: int  # bytes


@dataclass(frozen=True, eq=False)
class SiteFit:
    """A mapper fitted at one site of each model."""

    mapper: FittedMapper
    fitted: Fitted
    seconds: float


def fit_at(
    experiment: Experiment,
    sites: Sites,
    cell: Cell,
    context: RunContext,
    info: MapperInfo,
    folder: Path,
    share: float,
) -> SiteFit:
    """Fit a mapper at these sites on the first `share` of the cell's fit texts, and write it into `folder`."""
    texts = experiment.fit_data.texts(cell.track)
    texts = texts[: max(2, round(share * len(texts)))]
    pairs_folder, data_hash = _captured(experiment, sites, texts, context, shown=True)
    read = read_pairs(pairs_folder, str(experiment.target.device))
    report("fit")
    fit = fit_mapper(context.store, info, read.pairs, data_hash, cell.seed, context.settings.device)
    copy_fitted_mapper(fit.folder, folder)
    held_out, _ = _captured(experiment, sites, experiment.fit_data.held_out, context, shown=False)
    held_out_pairs = read_pairs(held_out, str(experiment.target.device)).pairs
    carry = checked_map_on_device(fit.mapper, read.pairs.d_target, read.pairs.device)
    mapper = FittedMapper(carry, info.vector_rule, fit.identity, held_out_pairs)
    parameters, size = saving.n_parameters(fit.mapper), saving.n_bytes(fit.mapper)
    fitted = Fitted(fit.record, data_hash, len(read.pairs), read.share_aligned, parameters, size)
    return SiteFit(mapper, fitted, fit.seconds)


def combined(fits: Sequence[Fitted]) -> Fitted:
    """Return the first of several fits with the sizes of all; the others' records are numbered."""
    records = {f"further {i}": fit.record for i, fit in enumerate(fits[1:], start=1)}
    return replace(
        fits[0],
        record=fits[0].record | records,
        data_hash=digest(*(fit.data_hash for fit in fits)) if records else fits[0].data_hash,
        parameters=sum(fit.parameters for fit in fits),
        size=sum(fit.size for fit in fits),
    )


def _captured(
    experiment: Experiment,
    sites: Sites,
    texts: Sequence[tuple[Prompt, str]],
    context: RunContext,
    *,
    shown: bool,
) -> tuple[Path, str]:
    """Return the folder of the paired activations on some texts, and a hash of what they were captured from."""
    alignment = experiment.fit_data.alignment or context.suite.alignment
    progress = (lambda n, of: report("activations", n, of)) if shown else (lambda *_: None)
    return cached_pairs(context.store, experiment.source, experiment.target, sites, texts, alignment, progress)
