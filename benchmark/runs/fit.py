"""The fit of one cell's mapper."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from graftbench.benchmark.activations.cached import cached_pairs, cached_sample, cached_shuffled
from graftbench.benchmark.activations.capture import capture_rows
from graftbench.benchmark.activations.pairs import read_pairs
from graftbench.benchmark.core.errors import CellError
from graftbench.benchmark.core.hashing import digest
from graftbench.benchmark.core.store import Store
from graftbench.benchmark.data.examples import Conversations
from graftbench.benchmark.data.registry import dataset_named
from graftbench.benchmark.data.tracks import SHARES_OF_PAIRS, texts_of
from graftbench.benchmark.experiments.protocol import Experiment
from graftbench.benchmark.experiments.replacement import Replacement, replacement_fidelity
from graftbench.benchmark.mappers import saving
from graftbench.benchmark.mappers.fitting import MapperFit, fit_mapper
from graftbench.benchmark.mappers.host import CheckedMap, MapperCodeError, says_too_few_pairs
from graftbench.benchmark.mappers.info import MapperInfo
from graftbench.benchmark.mappers.protocol import FittedMapper
from graftbench.benchmark.metrics.fidelity import fidelity
from graftbench.benchmark.models.architectures import Sites
from graftbench.benchmark.models.chat import with_reply
from graftbench.benchmark.models.tokens import token_ids
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
    folder: Path  # in the cache
    sites: Sites


def fits_of(
    experiment: Experiment, cell: Cell, context: RunContext, info: MapperInfo, share: float = 1.0
) -> list[SiteFit]:
    """Fit a mapper at each pair of sites of an experiment on the first `share` of the cell's fit texts.

    There is none where the experiment has nothing to carry across.
    """
    sites = fit_sites(experiment)
    every = () if sites is None else (sites, *experiment.fit_data.further)
    return [_fit_at(experiment, one, cell, context, info, share) for one in every]


def fit_sites(experiment: Experiment) -> Sites | None:
    """Return the first sites that a mapper is fitted at; None where there is nothing to carry across."""
    return experiment.fit_data.sites or experiment.sites


def mapper_of_all(fits: Sequence[SiteFit]) -> FittedMapper:
    """Return the mapper of the first pair of sites with those of the further ones."""
    return _of_all_sites([fit.mapper for fit in fits])


def _of_all_sites(mappers: Sequence[FittedMapper]) -> FittedMapper:
    """Return the mapper of the first pair of sites with those of the further ones, and its refit with theirs."""
    first, *others = mappers
    refits = [each.shuffled for each in mappers if each.shuffled is not None]
    shuffled = _of_all_sites(refits) if refits else None
    return replace(first, others=tuple(others), shuffled=shuffled)


def _fit_at(
    experiment: Experiment, sites: Sites, cell: Cell, context: RunContext, info: MapperInfo, share: float
) -> SiteFit:
    """Fit a mapper at these sites on the first `share` of the cell's fit texts, or take it from the cache."""
    texts = _fit_texts(experiment, cell, context)
    texts = texts[: max(2, round(share * len(texts)))]
    pairs_folder, data_hash = _captured(experiment, sites, texts, context, shown=True)
    if cell.track in SHARES_OF_PAIRS:
        pairs_folder, data_hash = cached_sample(context.store, pairs_folder, data_hash, SHARES_OF_PAIRS[cell.track])
    read = read_pairs(pairs_folder, str(experiment.target.device))
    report("fit")
    fit = _fit(cell, context, info, pairs_folder, data_hash)
    held_out, _ = _captured(experiment, sites, experiment.fit_data.held_out, context, shown=False)
    held_out_pairs = read_pairs(held_out, str(experiment.target.device)).pairs
    width = read.pairs.d_target

    def fitted_mapper(fit: MapperFit) -> FittedMapper:
        return FittedMapper(CheckedMap(fit.host, width), info.vector_rule, fit.identity, held_out_pairs)

    mapper = fitted_mapper(fit)
    if context.suite.shuffled_refit:
        shuffled = cached_shuffled(context.store, pairs_folder, data_hash, cell.seed)
        mapper = replace(mapper, shuffled=fitted_mapper(_fit(cell, context, info, *shuffled)))
    parameters, size = saving.size_of(fit.folder)
    fitted = Fitted(fit.record, data_hash, len(read.pairs), read.share_aligned, parameters, size)
    return SiteFit(mapper, fitted, fit.seconds, fit.folder, sites)


def _fit(cell: Cell, context: RunContext, info: MapperInfo, pairs: Path, data_hash: str) -> MapperFit:
    """Return the fit of a mapper on the pairs in a folder; CellError where a share of them is too little for it."""
    settings = context.settings
    try:
        return fit_mapper(context.store, info, pairs, data_hash, cell.seed, settings.device, settings.isolation)
    except (ValueError, RuntimeError, MapperCodeError) as error:
        if cell.track not in SHARES_OF_PAIRS or not says_too_few_pairs(error):
            raise
        n = len(read_pairs(pairs).pairs)
        raise CellError(f"{info.name} cannot be fitted on the {n} pairs of the track {cell.track}: {error}") from error


def _fit_texts(experiment: Experiment, cell: Cell, context: RunContext) -> Conversations:
    """Return the texts of a cell's track; for `general` those of the suite's own dataset for it, if it names one."""
    general = context.suite.general
    if cell.track != "general" or general is None:
        return experiment.fit_data.texts(texts_of(cell.track))
    n = len(experiment.fit_data.texts("task"))
    return dataset_named(general).conversations("", "fit", "general", n)


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
    texts: Conversations,
    context: RunContext,
    *,
    shown: bool,
) -> tuple[Path, str]:
    """Return the folder of the paired activations on some texts, and a hash of what they were captured from."""
    alignment = experiment.fit_data.alignment or context.suite.alignment
    progress = (lambda n, of: report("activations", n, of)) if shown else (lambda *_: None)
    models = experiment.source, experiment.target
    return cached_pairs(context.store, *models, sites, texts, alignment, progress, context.suite.pair_storage)


MEAN_TEXTS = 100  # over whose tokens the mean activation is taken


def fidelity_of(experiment: Experiment, mapper: FittedMapper, context: RunContext) -> dict[str, float | None]:
    """Return cosine and fraction of variance unexplained on held-out pairs, by site, and the figures of replacement.

    Those of replacement (`replaced_...`) are there where the experiment compares the target with itself.
    """
    overall = fidelity((mapper.carry(source), target) for source, target in mapper.held_out)
    figures: dict[str, float | None] = {"cosine": overall.cosine, "fvu": overall.fvu}
    for (_, site), other in zip(experiment.fit_data.further, mapper.others, strict=True):
        there = fidelity((other.carry(source), target) for source, target in other.held_out)
        figures |= {f"cosine_site_{site}": there.cosine, f"fvu_site_{site}": there.fvu}
    return figures | _under_replacement(experiment, mapper, context)


def _under_replacement(experiment: Experiment, mapper: FittedMapper, context: RunContext) -> dict[str, float | None]:
    n_prompts = experiment.fit_data.compared
    if not n_prompts:
        return {}
    assert experiment.sites is not None
    mean = _mean_activation(experiment, context.store)
    replaced = replacement_fidelity(
        Replacement(experiment.source, experiment.target, experiment.sites, mapper, mean),
        list(dict.fromkeys(prompt for prompt, _ in experiment.fit_data.held_out if prompt is not None))[:n_prompts],
        context.store,
        max_new_tokens=context.suite.max_new_tokens,
        batch_size=context.settings.n_rows,
    )
    return {f"replaced_{name}": value for name, value in asdict(replaced).items()}


def _mean_activation(experiment: Experiment, store: Store) -> Tensor:
    """Return the target's mean activation [d] at its site over texts of the fit split."""
    assert experiment.sites is not None
    target, site = experiment.target, experiment.sites[1]
    texts = [with_reply(p, r, target).text for p, r in experiment.fit_data.texts("task")[:MEAN_TEXTS]]

    def make() -> list[float]:
        rows = [token_ids(text, target.tokenizer) for text in texts]
        with target.loaded() as model:
            states = torch.cat([states.double().cpu() for _, states in capture_rows(model, rows, site)])
        mean: list[float] = states.mean(0).tolist()
        return mean

    return torch.tensor(store.value("means", [target.identity, target.device.type, site, texts], make))
