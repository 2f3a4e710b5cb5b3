"""`graftbench check`: check that a mapper follows the protocol and recovers a planted map."""

import json
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from torch import Tensor

from graftbench.benchmark.activations.arrays import in_memory
from graftbench.benchmark.activations.pairs import PAIR_FILES, ActivationPairs
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.mappers.host import MapperError, MapperHost
from graftbench.benchmark.mappers.hosts import host_of
from graftbench.benchmark.mappers.info import MapperInfo
from graftbench.benchmark.metrics.fidelity import fidelity

D_SOURCE, D_TARGET, TEXTS, TOKENS = 24, 32, 200, 20
MAX_FVU = 0.5  # on a planted linear map with a little noise; predicting the mean gives 1
Check = Callable[["_MapperUnderTest"], str | None]  # the problem, None where there is none


def planted(seed: int = 0) -> ActivationPairs:
    """Return pairs whose target is a linear map of the source, plus an offset, plus noise of a tenth of its size.

    Source [4000, 24], target [4000, 32]; the map is the same for every seed.
    """
    rng = np.random.default_rng(seed)
    n = TEXTS * TOKENS
    source = rng.standard_normal((n, D_SOURCE)) * np.linspace(0.5, 2, D_SOURCE) + 1
    matrix = np.random.default_rng(99).standard_normal((D_SOURCE, D_TARGET)) / np.sqrt(D_SOURCE)
    target = source @ matrix - 2
    target += 0.1 * target.std() * rng.standard_normal(target.shape)
    starts = np.arange(0, n, TOKENS, dtype=np.int64)
    return ActivationPairs(source.astype(np.float32), target.astype(np.float32), starts)


def check_mapper(info: MapperInfo, isolation: str | None, console: Console) -> int:
    """Run all checks and print their results; return 1 where one fails.

    `isolation` says where the mapper's code runs. UserError where it cannot be imported.
    """
    failed = False
    for name, problem in problems_with(info, isolation):
        failed |= problem is not None
        told = f"{'FAILED' if problem else 'ok':>7} {name}" + (f": {problem}" if problem else "")
        console.print(told, markup=False)
    console.print("It does not keep to the protocol yet." if failed else "It keeps to the protocol.")
    return int(failed)


def problems_with(info: MapperInfo, isolation: str | None) -> Iterator[tuple[str, str | None]]:
    """Yield each check by name with the problem that it found, None where there is none."""
    with _MapperUnderTest(info, isolation) as tested:
        for name, check in CHECKS.items():
            problem = _run(tested, check)
            yield name, problem
            if problem and name in PREREQUISITES:  # later checks would fail for the same reason
                return


def _run(tested: "_MapperUnderTest", check: Check) -> str | None:
    """Run a check, and return the problem in words; an exception of the mapper is one."""
    try:
        return check(tested)
    except UserError:
        raise
    except MapperError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 (a submission may raise anything, which is then the problem)
        last = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__}: {error} (line {last.lineno} of {last.filename})"


class _MapperUnderTest:
    """A mapper on planted pairs, fitted on first use."""

    def __init__(self, info: MapperInfo, isolation: str | None) -> None:
        self.info, self._isolation = info, isolation
        self._folder = tempfile.TemporaryDirectory()
        self._mapper: MapperHost | None = None
        self.record: object = None

    def __enter__(self) -> "_MapperUnderTest":
        write(planted(), self.folder / "pairs")
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    @property
    def folder(self) -> Path:
        """A folder for this check."""
        return Path(self._folder.name)

    def new(self) -> MapperHost:
        """Return a mapper that has not been fitted."""
        return host_of(self.info, "cpu", self._isolation)

    def fitted(self, seed: int = 0) -> MapperHost:
        """Fit a new mapper with this seed."""
        mapper = self.new()
        self.record = mapper.fit(self.folder / "pairs", seed).record
        return mapper

    @property
    def mapper(self) -> MapperHost:
        """Mapper fitted with seed 0."""
        if self._mapper is None:
            self._mapper = self.fitted()
        return self._mapper


def write(pairs: ActivationPairs, folder: Path) -> None:
    """Write pairs in memory into a folder, as models' pairs are."""
    folder.mkdir()
    arrays = (in_memory(pairs.source), in_memory(pairs.target), pairs.starts, np.array(1.0))
    for name, array in zip(PAIR_FILES, arrays, strict=True):
        np.save(folder / name, array, allow_pickle=False)


def _close(a: Tensor, b: Tensor) -> bool:
    """Return whether [rows, d] tensors are equal up to rounding, which depends on memory layout and batch size."""
    return torch.allclose(a, b, rtol=1e-3, atol=1e-3)


def _rows() -> Tensor:
    """Return source activations [64, 24] that no mapper was fitted on."""
    return next(planted(seed=1).batches(64, None))[0]


def _fit(tested: _MapperUnderTest) -> str | None:
    assert tested.mapper
    json.dumps(tested.record)  # the record has to be JSON
    return None


@torch.no_grad()
def _call(tested: _MapperUnderTest) -> str | None:
    tested.mapper.carry(_rows())
    return None


@torch.no_grad()
def _shapes(tested: _MapperUnderTest) -> str | None:
    for shape in ((D_SOURCE,), (5, D_SOURCE), (2, 3, D_SOURCE)):
        made = tuple(tested.mapper.carry(torch.randn(shape)).shape)
        if made != (*shape[:-1], D_TARGET):
            return f"it makes {made} of activations {shape}, not {(*shape[:-1], D_TARGET)}"
    return None


@torch.no_grad()
def _finite(tested: _MapperUnderTest) -> str | None:
    for rows in (_rows(), torch.zeros(2, D_SOURCE), 1e3 * _rows()):
        if not tested.mapper.carry(rows).isfinite().all():
            return "it gives values that are not finite"
    return None


@torch.no_grad()
def _independent_rows(tested: _MapperUnderTest) -> str | None:
    rows = _rows()
    together, alone = tested.mapper.carry(rows), torch.stack([tested.mapper.carry(row[None])[0] for row in rows])
    if not _close(together, alone):
        return "a row is carried differently when other rows are in the batch"
    return None


@torch.no_grad()
def _deterministic(tested: _MapperUnderTest) -> str | None:
    rows = _rows()
    if not _close(tested.fitted().carry(rows), tested.mapper.carry(rows)):
        return "two fits with the same seed differ"
    if tested.info.deterministic and not _close(tested.fitted(seed=1).carry(rows), tested.mapper.carry(rows)):
        return "it is declared deterministic, and another seed changes it"
    return None


@torch.no_grad()
def _saved(tested: _MapperUnderTest) -> str | None:
    folder, again = tested.folder / "fitted", tested.new()
    tested.mapper.save(folder)
    again.load(folder)
    if not torch.equal(again.carry(_rows()), tested.mapper.carry(_rows())):
        return "it maps activations differently after it was saved and loaded"
    return None


@torch.no_grad()
def _planted(tested: _MapperUnderTest) -> str | None:
    def mapped() -> Iterator[tuple[Tensor, Tensor]]:
        for source, target in planted(seed=2):
            yield tested.mapper.carry(source), target

    fvu = fidelity(mapped()).fvu
    assert fvu is not None
    if not fvu <= MAX_FVU:
        return (
            f"of a planted linear map it leaves {fvu:.2f} of the variance unexplained "
            f"(the mean leaves 1, a good mapper less than {MAX_FVU})"
        )
    return None


PREREQUISITES = ("fit", "call", "shapes", "finite values")  # of all later checks
CHECKS: dict[str, Check] = {
    "fit": _fit,
    "call": _call,
    "shapes": _shapes,
    "finite values": _finite,
    "rows on their own": _independent_rows,
    "same seed, same mapper": _deterministic,
    "save and load": _saved,
    "a planted map": _planted,
}
