"""Decoding in tensors that keep their places and shapes, so that a GPU can replay a step as one CUDA graph.

They were never recorded where this was written, on a CPU: `generate` does without, and `benchmarks/gpu.py` tries them.
"""

import logging
from typing import Any

from torch import Tensor

from graftbench.benchmark.interventions.decoding import Decoding
from graftbench.benchmark.interventions.token_inputs import TokenInputs
from graftbench.benchmark.models.kv_cache import can_be_fixed, fix
from graftbench.benchmark.models.recorded import Recorded

_log = logging.getLogger("graftbench.decoding")
_STEP = "a step of decoding"


class FixedDecoding(Decoding):
    """Decoding whose tensors keep their places and shapes after the prompts, and whose steps a GPU replays.

    Rows leave once half of them have ended, down to the next power of two: each number of rows has a graph of its own.
    A model with sliding windows or a state, and rows that follow another model, are decoded as by `Decoding`.
    """

    def __init__(self, *about: Any) -> None:
        super().__init__(*about)
        self._recorded = Recorded(self._model.device, _STEP)
        self._fixable = can_be_fixed(self._cache) and not self._followers
        if not self._fixable:
            _log.warning("%s: a window, a state or a followed model; its steps are not recorded", self._model.name)

    def _read(self, step: int) -> None:
        if step == 0 or not self._fixable:
            super()._read(step)
        else:
            self._recorded(lambda: Decoding._read(self, step))

    def _prepare(self) -> None:
        if self._fixable and isinstance(self._next_inputs, TokenInputs):
            fix(self._cache, self._next_inputs.mask.shape[1])
            self._next_inputs = self._next_inputs.fixed()
        super()._prepare()

    def _staying(self, n_ended: int) -> Tensor | None:
        return power_of_two(self._replies.ended, n_ended) if self._fixable else super()._staying(n_ended)

    def _keep(self, index: Tensor, stay: list[int]) -> None:
        super()._keep(index, stay)
        self._recorded = Recorded(self._model.device, _STEP)


def power_of_two(ended: Tensor, n_ended: int) -> Tensor | None:
    """Return which of some rows stay so that they are a power of two, all that go on among them; None where all do.

    At most half of the rows stay, or all of them.
    """
    n = len(ended)
    size = 1 << max(0, n - n_ended - 1).bit_length()
    return None if 2 * size > n else ended.byte().argsort(stable=True)[:size].sort().values
