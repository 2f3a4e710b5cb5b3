"""The host of a mapper: this process for what comes with graftbench, an isolated one for everybody else's code."""

import sys
import time
from functools import cache
from pathlib import Path

from torch import Tensor

from graftbench.benchmark.activations.pairs import read_pairs
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.plugins import is_builtin
from graftbench.benchmark.mappers import saving
from graftbench.benchmark.mappers.host import NOT_ISOLATED, FitFacts, MapperHost
from graftbench.benchmark.mappers.info import MapperInfo
from graftbench.benchmark.mappers.isolation.isolated import Isolated
from graftbench.benchmark.mappers.isolation.sandbox import WALLS_OF_FILES, SandboxError, sandbox_of, walls
from graftbench.benchmark.mappers.live import LiveMapper
from graftbench.benchmark.mappers.loading import code_of, make_mapper, mapper_class


class InProcess:
    """A mapper whose code runs in this process."""

    def __init__(self, info: MapperInfo, device: str) -> None:
        mapper_class(info)  # one that cannot be imported is told before anything else
        self._info, self._device = info, device
        self._widths = 0, 0
        self._live = LiveMapper(lambda: make_mapper(info, *self._widths), device)

    def fit(self, pairs: Path, seed: int) -> FitFacts:
        """Fit on the pairs in a folder."""
        read = read_pairs(pairs, self._device).pairs
        self._widths = read.d_source, read.d_target
        started = time.monotonic()
        record = self._live.fit(read, seed)
        return FitFacts(record or {}, time.monotonic() - started)

    def save(self, into: Path) -> None:
        """Write the fitted mapper into a folder."""
        saving.write_state(self._info, self._widths, *self._live.state(), into)

    def load(self, folder: Path) -> None:
        """Take the fitted mapper that is in a folder."""
        self._widths, tensors, fields = saving.read_state(folder)
        self._live.set_state(tensors, fields)

    def carry(self, source: Tensor) -> Tensor:
        """Map activations [..., d_source]."""
        return self._live(source)

    def derivative(self, at: Tensor, along: Tensor) -> Tensor:
        """Return the directional derivative at `at` along `along`, both [..., d_source]."""
        return self._live.derivative(at, along)


def isolation_of(info: MapperInfo, *, isolate: bool = True) -> str | None:
    """Return how a mapper's code is kept apart here, as an entry says it; None where it comes with graftbench.

    Where this machine keeps a submission from nothing, stderr says so.
    """
    if comes_with_graftbench(info):
        return None
    if not isolate:
        return NOT_ISOLATED
    try:
        here = walls()
    except SandboxError as error:
        raise UserError(f"No isolated process can be started: {error}. --no-isolation runs your own code.") from error
    if not set(here) & WALLS_OF_FILES:
        _warn()
    return "+".join(here)


@cache  # once
def _warn() -> None:
    sys.stderr.write(
        "graftbench: this machine cannot keep a mapper's code apart (Linux can, by bubblewrap, namespaces or "
        "Landlock): it runs in a process of its own with few variables, and can read and send whatever you can.\n"
    )


def comes_with_graftbench(info: MapperInfo) -> bool:
    """Return whether the code of a mapper is graftbench's own."""
    return info.file is None and is_builtin("mappers", info.source)


def prepare_host(info: MapperInfo, device: str, isolation: str | None) -> None:
    """Start the process behind the wall, if there is to be one: it takes seconds, in which others can work."""
    if needs_isolation(info, isolation):
        sandbox_of(str(isolation).split("+"), code_of(info), on_gpu=device.startswith("cuda"))


def needs_isolation(info: MapperInfo, isolation: str | None) -> bool:
    """Return whether a mapper runs in a process of its own in a run with such an isolation; ValueError if unsaid."""
    if comes_with_graftbench(info) or isolation == NOT_ISOLATED:
        return False
    if isolation is None:
        raise ValueError(f"{info.source} does not come with graftbench, and runs isolated or by leave")
    return True


def host_of(info: MapperInfo, device: str, isolation: str | None) -> MapperHost:
    """Return a host with a new mapper on a device; it raises UserError where the mapper's code cannot be imported.

    `isolation` is what `isolation_of` returned where the run was planned.
    """
    if needs_isolation(info, isolation):
        return Isolated(info, device, str(isolation).split("+"))
    return InProcess(info, device)
