"""Work on tensors that keep their places and shapes, which a GPU replays as one CUDA graph.

A step of a small model is hundreds of short operations, and starting each from Python takes longer than it runs.
"""

import logging
from collections.abc import Callable
from functools import cache

import torch

_log = logging.getLogger("graftbench.recorded")
_WARM_UP = 3  # times before work is recorded, as in torch's documentation of CUDA graphs


class Recorded:
    """Work that is recorded on a GPU after some warm-up, and replayed from then on; on a CPU it is called.

    All calls have to be given the same work. It may not read values back or copy from the host, and each time it runs,
    in the warm-up too, counts as a run. `name` is its name in the log.
    """

    def __init__(self, device: torch.device, name: str) -> None:
        self._device, self._name, self._n = device, name, 0
        self._replay: Callable[[], None] | None = None

    def __call__(self, work: Callable[[], None]) -> None:
        """Do the work once."""
        if not _can_record(self._device):
            work()
        elif self._n < _WARM_UP:
            self._n += 1
            _warm_up(work)
        else:
            self._replay = self._replay or _record(work, self._name)
            self._replay()


def _can_record(device: torch.device) -> bool:
    return device.type == "cuda"


@cache  # libraries keep memory for every stream that they meet
def _side_stream() -> torch.cuda.Stream:
    return torch.cuda.Stream()


def _warm_up(work: Callable[[], None]) -> None:
    """Do some work beside the usual stream, as it is recorded."""
    usual, beside = torch.cuda.current_stream(), _side_stream()
    beside.wait_stream(usual)
    with torch.cuda.stream(beside):
        work()
    usual.wait_stream(beside)


def _record(work: Callable[[], None], name: str) -> Callable[[], None]:
    """Return a replay of some work; the work itself, and a sentence in the log, where it cannot be recorded."""
    graph = torch.cuda.CUDAGraph()
    try:
        with torch.cuda.graph(graph):
            work()
    except RuntimeError as error:  # of CUDA, where the work copies to the host, or memory does not hold the graph
        _log.warning("%s cannot be recorded (%s); it is run anew each time", name, str(error).split("\n")[0])
        torch.cuda.synchronize()
        return work
    return graph.replay
