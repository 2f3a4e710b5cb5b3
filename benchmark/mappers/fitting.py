"""Fit a mapper on paired activations, cached by content, and make it ready for use."""

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from graftbench.benchmark.activations.pairs import ActivationPairs
from graftbench.benchmark.core.files import atomic_write, write_text
from graftbench.benchmark.core.hashing import digest
from graftbench.benchmark.core.store import Store
from graftbench.benchmark.mappers import saving
from graftbench.benchmark.mappers.info import MapperInfo
from graftbench.benchmark.mappers.loading import make_mapper
from graftbench.benchmark.mappers.protocol import Mapper


@dataclass(frozen=True, eq=False)
class MapperFit:
    """A fitted mapper with its training record, fit time and cache folder; `identity` stands for it in cache keys."""

    mapper: Mapper
    record: dict[str, Any]
    seconds: float
    folder: Path
    identity: str


def fit_mapper(
    store: Store, info: MapperInfo, pairs: ActivationPairs, data_hash: str, seed: int, device: str
) -> MapperFit:
    """Fit a mapper, or take it from the cache.

    Either way it is loaded from its files, so that the saved mapper is scored. RuntimeError where it computes something
    else than the one that was fitted.
    """
    widths = pairs.d_source, pairs.d_target
    parts = [info.sha256, info.name, info.options, seed, data_hash, device]

    def make(unfinished: Path) -> None:
        mapper = make_mapper(info, *widths)
        torch.manual_seed(seed)
        started = time.monotonic()
        record = mapper.fit(pairs, seed=seed)
        facts = {"record": record or {}, "seconds": time.monotonic() - started}
        saving.save(mapper, info, widths, unfinished)
        _check_saved(mapper, saving.load(info, unfinished), pairs)
        write_text(unfinished / "fit.json", json.dumps(facts))

    folder = store.folder("mappers", parts, make)
    facts = json.loads((folder / "fit.json").read_text())
    return MapperFit(saving.load(info, folder), facts["record"], facts["seconds"], folder, digest(*parts))


def copy_fitted_mapper(fitted: Path, folder: Path) -> None:
    """Copy the files of a fitted mapper into a folder."""
    for name in (saving.TENSORS_FILE, saving.RECORD_FILE):
        with atomic_write(folder / name) as path:
            shutil.copyfile(fitted / name, path)


@torch.no_grad()
def _check_saved(mapper: Mapper, saved: Mapper, pairs: ActivationPairs) -> None:
    """Raise RuntimeError where the saved mapper maps differently, because part of its state was not saved."""
    rows = next(pairs.batches(64, None))[0]
    for each in (mapper, saved):
        _move_to(each, pairs.device)
    if not torch.allclose(mapper(rows), saved(rows), rtol=1e-3, atol=1e-4, equal_nan=True):
        raise RuntimeError(
            "the mapper maps activations differently after it was saved and loaded: what it learns has to be in "
            "the state_dict of the module, or in the fields of the dataclass"
        )


def _move_to(mapper: Mapper, device: str) -> None:
    """Move a mapper to a device, ready for inference."""
    if isinstance(mapper, torch.nn.Module):
        mapper.to(device).eval()
        return
    for name, tensor in saving.tensors_and_fields(mapper)[0].items():
        object.__setattr__(mapper, name, tensor.to(device))


def checked_map_on_device(mapper: Mapper, d_target: int, device: str) -> Callable[[Tensor], Tensor]:
    """Move a mapper to `device`, and return it as a checked function from [..., d_source] to [..., d_target].

    The function raises ValueError where the shape is wrong, and FloatingPointError where a value is not finite.
    """

    @torch.no_grad()
    def checked(source: Tensor) -> Tensor:
        mapped = mapper(source.to(device).float())  # float32 as it was fitted, whatever the dtype of the models
        expected = (*source.shape[:-1], d_target)
        if tuple(mapped.shape) != expected:
            raise ValueError(f"the mapper made {tuple(mapped.shape)} of {tuple(source.shape)}, not {expected}")
        if not mapped.isfinite().all():
            raise FloatingPointError("the mapper gave values that are not finite")
        return mapped.to(source.device)

    _move_to(mapper, device)
    return checked
