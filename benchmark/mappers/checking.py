"""`graftbench check`: does a mapper keep to the protocol, and does it find what was planted?"""

import json
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from torch import Tensor, nn

from graftbench.benchmark.activations.pairs import ActivationPairs
from graftbench.benchmark.mappers import saving
from graftbench.benchmark.mappers.loading import MapperInfo, MapperSpec, find
from graftbench.benchmark.mappers.protocol import Mapper
from graftbench.benchmark.metrics.fidelity import fidelity

D_SOURCE, D_TARGET, TEXTS, TOKENS = 24, 32, 200, 20
MOST_FVU = 0.5  # of a planted linear map with a little noise: 1 is what the mean explains
Check = Callable[["_Bench"], str | None]  # what is wrong, or None


def planted(seed: int = 0) -> ActivationPairs:
    """Pairs whose target is a linear map of the source, an offset, and noise of a tenth of its size."""
    rng = np.random.default_rng(seed)
    n = TEXTS * TOKENS
    source = rng.standard_normal((n, D_SOURCE)) * np.linspace(0.5, 2, D_SOURCE) + 1
    matrix = np.random.default_rng(99).standard_normal((D_SOURCE, D_TARGET)) / np.sqrt(D_SOURCE)
    target = source @ matrix - 2
    target += 0.1 * target.std() * rng.standard_normal(target.shape)
    starts = np.arange(0, n, TOKENS, dtype=np.int64)
    return ActivationPairs(source.astype(np.float32), target.astype(np.float32), starts)


def check_mapper(spec: MapperSpec, console: Console) -> int:
    """Print what passes and what does not; 1 where something does not."""
    found = find(spec)
    bench = _Bench(found)
    failed = False
    for name, check in CHECKS.items():
        wrong = _tried(bench, check)
        failed |= wrong is not None
        console.print(f"{'FAILED' if wrong else 'ok':>7} {name}" + (f": {wrong}" if wrong else ""), markup=False)
        if wrong and name in NEEDED:  # what comes after would say the same in other words
            break
    console.print("It does not keep to the protocol yet." if failed else "It keeps to the protocol.")
    return int(failed)


def _tried(bench: "_Bench", check: Check) -> str | None:
    try:
        return check(bench)
    except Exception as error:  # noqa: BLE001 (a submission may raise anything, and that is what is told)
        last = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__}: {error} (line {last.lineno} of {last.filename})"


class _Bench:
    """A mapper on planted pairs, fitted when it is first asked for."""

    def __init__(self, found: MapperInfo) -> None:
        self.found = found
        self._mapper: Mapper | None = None
        self.record: object = None

    def fitted(self, seed: int = 0) -> Mapper:
        """A mapper fitted anew."""
        mapper = self.found.make(D_SOURCE, D_TARGET)
        torch.manual_seed(seed)
        with torch.enable_grad():
            self.record = mapper.fit(planted(), seed=seed)
        return mapper.eval() if isinstance(mapper, nn.Module) else mapper

    @property
    def mapper(self) -> Mapper:
        """The mapper fitted with seed 0."""
        if self._mapper is None:
            self._mapper = self.fitted()
        return self._mapper


def _alike(a: Tensor, b: Tensor) -> bool:
    """Equal up to rounding, which depends on where in memory a linear algebra library finds its numbers."""
    return torch.allclose(a, b, rtol=1e-3, atol=1e-3)


def _rows() -> Tensor:
    return next(planted(seed=1).batches(64, None))[0]


def _fit(bench: _Bench) -> str | None:
    assert bench.mapper
    json.dumps(bench.record)  # what goes on record has to be JSON's
    return None


@torch.no_grad()
def _call(bench: _Bench) -> str | None:
    bench.mapper(_rows())
    return None


@torch.no_grad()
def _shapes(bench: _Bench) -> str | None:
    for shape in ((D_SOURCE,), (5, D_SOURCE), (2, 3, D_SOURCE)):
        made = tuple(bench.mapper(torch.randn(shape)).shape)
        if made != (*shape[:-1], D_TARGET):
            return f"it makes {made} of activations {shape}, not {(*shape[:-1], D_TARGET)}"
    return None


@torch.no_grad()
def _finite(bench: _Bench) -> str | None:
    for rows in (_rows(), torch.zeros(2, D_SOURCE), 1e3 * _rows()):
        if not bench.mapper(rows).isfinite().all():
            return "it gives values that are not finite"
    return None


@torch.no_grad()
def _alone(bench: _Bench) -> str | None:
    rows = _rows()
    together, alone = bench.mapper(rows), torch.stack([bench.mapper(row[None])[0] for row in rows])
    if not _alike(together, alone):
        return "a row is carried differently when other rows are there"
    return None


@torch.no_grad()
def _deterministic(bench: _Bench) -> str | None:
    rows = _rows()
    if not _alike(bench.fitted()(rows), bench.mapper(rows)):
        return "two fits with the same seed differ"
    if bench.found.deterministic and not _alike(bench.fitted(seed=1)(rows), bench.mapper(rows)):
        return "it says that it is deterministic, and another seed changes it"
    return None


@torch.no_grad()
def _saved(bench: _Bench) -> str | None:
    with tempfile.TemporaryDirectory() as folder:
        saving.save(bench.mapper, bench.found, (D_SOURCE, D_TARGET), Path(folder))
        again = saving.load(bench.found, Path(folder))
    if not torch.equal(again(_rows()), bench.mapper(_rows())):
        return "it carries activations differently after it was saved and loaded"
    return None


@torch.no_grad()
def _planted(bench: _Bench) -> str | None:
    def carried() -> Iterator[tuple[Tensor, Tensor]]:
        for source, target in planted(seed=2):
            yield bench.mapper(source), target

    fvu = fidelity(carried()).fvu
    assert fvu is not None
    if not fvu <= MOST_FVU:
        return (
            f"of a planted linear map it leaves {fvu:.2f} of the variance unexplained "
            f"(the mean leaves 1, a good mapper less than {MOST_FVU})"
        )
    return None


NEEDED = ("fit", "call", "shapes", "finite values")  # for the checks after them to mean anything
CHECKS: dict[str, Check] = {
    "fit": _fit,
    "call": _call,
    "shapes": _shapes,
    "finite values": _finite,
    "rows on their own": _alone,
    "same seed, same mapper": _deterministic,
    "save and load": _saved,
    "a planted map": _planted,
}
