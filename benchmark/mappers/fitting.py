"""Fit a mapper on paired activations, cached by content, and make it ready for use."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from graftbench.benchmark.activations.pairs import read_pairs
from graftbench.benchmark.core.files import atomic_write, write_text
from graftbench.benchmark.core.hashing import digest
from graftbench.benchmark.core.store import Store
from graftbench.benchmark.mappers import saving
from graftbench.benchmark.mappers.host import MapperHost
from graftbench.benchmark.mappers.hosts import comes_with_graftbench, host_of
from graftbench.benchmark.mappers.info import MapperInfo


@dataclass(frozen=True, eq=False)
class MapperFit:
    """A fitted mapper with its training record, fit time and cache folder; `identity` stands for it in cache keys."""

    host: MapperHost
    record: dict[str, Any]
    seconds: float
    folder: Path
    identity: str


def fit_mapper(
    store: Store, info: MapperInfo, pairs: Path, data_hash: str, seed: int, device: str, isolation: str | None
) -> MapperFit:
    """Fit a mapper on the pairs in a folder, or take it from the cache; `isolation` says where its code runs.

    Either way it is loaded from its files, so that the saved mapper is scored. RuntimeError where it computes something
    else than the one that was fitted.
    """
    parts = [info.sha256, info.name, info.options, seed, data_hash, device]
    loaded: list[MapperHost] = []

    def make(unfinished: Path) -> None:
        host = host_of(info, device, isolation)
        facts = host.fit(pairs, seed)
        host.save(unfinished)
        loaded.append(_saved(host, info, unfinished, pairs, device, isolation))
        write_text(unfinished / "fit.json", json.dumps({"record": facts.record, "seconds": facts.seconds}))

    folder = store.folder("mappers", parts if comes_with_graftbench(info) else [*parts, isolation], make)
    if not loaded:
        loaded.append(host_of(info, device, isolation))
        loaded[0].load(folder)
    facts = json.loads((folder / "fit.json").read_text())
    return MapperFit(loaded[0], facts["record"], facts["seconds"], folder, digest(*parts))


def copy_fitted_mapper(fitted: Path, folder: Path) -> None:
    """Copy the files of a fitted mapper into a folder."""
    for name in (saving.TENSORS_FILE, saving.RECORD_FILE):
        with atomic_write(folder / name) as path:
            shutil.copyfile(fitted / name, path)


@torch.no_grad()
def _saved(
    fitted: MapperHost, info: MapperInfo, folder: Path, pairs: Path, device: str, isolation: str | None
) -> MapperHost:
    """Return the mapper that was saved; RuntimeError where it maps differently, as part of its state was not saved."""
    saved = host_of(info, device, isolation)
    saved.load(folder)
    rows = next(read_pairs(pairs, device).pairs.batches(64, None))[0]
    if not torch.allclose(fitted.carry(rows), saved.carry(rows), rtol=1e-3, atol=1e-4, equal_nan=True):
        raise RuntimeError(
            "the mapper maps activations differently after it was saved and loaded: what it learns has to be in "
            "the state_dict of the module, or in the fields of the dataclass"
        )
    return saved
