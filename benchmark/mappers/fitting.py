"""A mapper fitted on the activations of two models on the same texts, all of it kept by content."""

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
from graftbench.benchmark.core.files import whole, write_text
from graftbench.benchmark.core.hashing import digest
from graftbench.benchmark.core.store import Store
from graftbench.benchmark.mappers import saving
from graftbench.benchmark.mappers.loading import MapperInfo
from graftbench.benchmark.mappers.protocol import Mapper


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted mapper, what it put on record, how long it took, where it is kept, and what stands for it in keys."""

    mapper: Mapper
    record: dict[str, Any]
    seconds: float
    folder: Path
    identity: str


def fitted_mapper(
    store: Store, found: MapperInfo, pairs: ActivationPairs, data_hash: str, seed: int, device: str
) -> Fit:
    """A mapper fitted, or kept from before, and read from its files, so that what is scored is what is kept."""
    widths = pairs.d_source, pairs.d_target
    parts = [found.sha256, found.name, found.options, seed, data_hash, device]

    def make(unfinished: Path) -> None:
        mapper = found.make(*widths)
        torch.manual_seed(seed)
        started = time.monotonic()
        record = mapper.fit(pairs, seed=seed)
        about = {"record": record or {}, "seconds": time.monotonic() - started}
        saving.save(mapper, found, widths, unfinished)
        _check_saved(mapper, saving.load(found, unfinished), pairs)
        write_text(unfinished / "fit.json", json.dumps(about))

    kept = store.kept("mappers", parts, make)
    about = json.loads((kept / "fit.json").read_text())
    return Fit(saving.load(found, kept), about["record"], about["seconds"], kept, digest(*parts))


def keep(fitted: Path, folder: Path) -> None:
    """Copy the files of a fitted mapper into a folder."""
    for name in (saving.TENSORS, saving.REST):
        with whole(folder / name) as path:
            shutil.copyfile(fitted / name, path)


@torch.no_grad()
def _check_saved(mapper: Mapper, saved: Mapper, pairs: ActivationPairs) -> None:
    """RuntimeError where a mapper does something else once it was saved: it holds what is not saved with it."""
    rows = next(pairs.batches(64, None))[0]
    for one in (mapper, saved):
        _on(one, pairs.device)
    if not torch.allclose(mapper(rows), saved(rows), rtol=1e-3, atol=1e-4, equal_nan=True):
        raise RuntimeError(
            "the mapper carries activations differently after it was saved and loaded: what it learns has to be in "
            "the state_dict of the module, or in the fields of the dataclass"
        )


def _on(mapper: Mapper, device: str) -> None:
    """Put a mapper where its pairs are, ready to be used."""
    if isinstance(mapper, torch.nn.Module):
        mapper.to(device).eval()
        return
    for name, tensor in saving.parts(mapper)[0].items():
        object.__setattr__(mapper, name, tensor.to(device))


def checked(mapper: Mapper, d_target: int, device: str) -> Callable[[Tensor], Tensor]:
    """The mapper as the engine calls it: on its own device, with shape and finiteness of what it gives checked."""

    @torch.no_grad()
    def carry(source: Tensor) -> Tensor:
        found = mapper(source.to(device).float())  # as it was fitted, whatever the models work in
        expected = (*source.shape[:-1], d_target)
        if tuple(found.shape) != expected:
            raise ValueError(f"the mapper made {tuple(found.shape)} of {tuple(source.shape)}, not {expected}")
        if not found.isfinite().all():
            raise FloatingPointError("the mapper gave values that are not finite")
        return found.to(source.device)

    _on(mapper, device)
    return carry
