"""The device of a model, the memory that is free there, and whether a model goes on one GPU or on several."""

from collections.abc import Sequence

import psutil
import torch

from graftbench.benchmark.core.errors import UserError

_GIB = 2**30


def device_of(device: str) -> torch.device:
    """Return the device called `device`; `auto` is the GPU where there is one."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"There is no device {device!r} here: {reason}. Use cpu, cuda or auto.") from error
    return torch.device(device)


def free_memory(device: torch.device) -> int:
    """Return the bytes that are free on a GPU, or in the memory of this machine."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)


def free_by_gpu(device: torch.device) -> list[int]:
    """Return the free bytes of each GPU that a model on `device` may take: of one that it names, of none on a CPU."""
    if device.type != "cuda":
        return []
    numbers = range(torch.cuda.device_count()) if device.index is None else [device.index]
    return [free_memory(torch.device("cuda", number)) for number in numbers]


def is_spread(name: str, n_bytes: int, free: Sequence[int]) -> bool:
    """Return whether a model with so many bytes of weights goes on several GPUs, of which `free` has the free bytes.

    It does where the first, on which it would lie, has less, and there are others. UserError where all of them together
    have less.
    """
    if len(free) < 2 or n_bytes <= free[0]:
        return False
    if n_bytes > sum(free):
        raise UserError(
            f"The weights of {name} take {n_bytes / _GIB:.1f} GiB, and all {len(free)} GPUs together have "
            f"{sum(free) / _GIB:.1f} GiB free: take a smaller dtype, or more GPUs."
        )
    return True
