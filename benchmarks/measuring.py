"""Time, memory and the limits of a device."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import torch

_TIMES = 10  # of what takes less than a millisecond


@dataclass(frozen=True)
class Line:
    """One line of the table: what was measured, on which model, the figure, and its share of the limit."""

    what: str
    model: str
    figure: str
    share: str = ""


@dataclass(frozen=True)
class Limits:
    """The bytes and the matrix operations that a device does in a second, as measured on it."""

    bandwidth: float
    operations: float


def seconds(work: Callable[[], object], device: torch.device, times: int = 3) -> float:
    """Return the median time of some work, after one run that is not counted."""
    took = []
    for _ in range(1 + times):
        wait(device)
        start = time.perf_counter()
        work()
        wait(device)
        took.append(time.perf_counter() - start)
    return median(took[1:])


def wait(device: torch.device) -> None:
    """Wait until a GPU has done its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def limits_of(device: torch.device, dtype: torch.dtype, n_bytes: int, width: int) -> Limits:
    """Measure a device by copies of so many bytes, and by products of square matrices of a width."""
    one = torch.randint(256, (n_bytes,), dtype=torch.uint8, device=device)  # some devices are faster with zeros
    other = torch.empty_like(one)
    copy = seconds(lambda: _repeated(lambda: other.copy_(one)), device) / _TIMES
    matrix = torch.randn(width, width, device=device).to(dtype)
    product = seconds(lambda: _repeated(lambda: matrix @ matrix), device) / _TIMES
    return Limits(2 * n_bytes / copy, 2 * width**3 / product)


def _repeated(work: Callable[[], object]) -> None:
    """Do some work several times, so that the wait at its end takes little of its time."""
    for _ in range(_TIMES):
        work()


def peak_memory(device: torch.device) -> str:
    """Return the most memory that tensors took on a GPU since the last call, in GB."""
    if device.type != "cuda":
        return ""
    peak = torch.cuda.max_memory_allocated(device) / 1e9
    torch.cuda.reset_peak_memory_stats(device)
    return f"{peak:.1f}"
