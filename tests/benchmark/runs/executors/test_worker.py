import platform
import resource

import pytest
import torch

from graftbench.benchmark.runs.executors.local import Local
from graftbench.benchmark.runs.executors.protocol import Job
from tests.benchmark.runs.executors.recorder import Recorder

TENSOR = 2**26  # bytes, as logits of a batch

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library keeps memory in its own way"),
]


def bytes_asked_for():
    """How much memory is asked of the system while a large tensor comes and goes ten times more."""
    for _ in range(3):  # what is freed first may have a small tenant when it is wanted again
        torch.empty(TENSOR // 4).fill_(1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        torch.empty(TENSOR // 4).fill_(1)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) * resource.getpagesize()


def test_a_worker_keeps_what_it_frees():
    found = Local(workers=1, threads=1).run([Job("large", bytes_asked_for, ())], Recorder())
    assert found["large"] < 2 * TENSOR
