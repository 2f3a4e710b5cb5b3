"""A mapper that lives in this process: made, fitted or given its state, and called."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from graftbench.benchmark.activations.pairs import Pairs
from graftbench.benchmark.mappers.protocol import Mapper, TrainingRecord
from graftbench.benchmark.mappers.state import move_to, set_state, tensors_and_fields


class LiveMapper:
    """A mapper on a device; `make` returns a new one that has not been fitted.

    It is the same in a submission's own process and in that of graftbench, so that both compute the same.
    """

    def __init__(self, make: Callable[[], Mapper], device: str) -> None:
        self._make, self._device = make, device
        self._mapper: Any = None

    def fit(self, pairs: Pairs, seed: int) -> TrainingRecord | None:
        """Fit a new mapper."""
        mapper = self._make()
        torch.manual_seed(seed)
        with torch.enable_grad():
            record = mapper.fit(pairs, seed=seed)
        self._mapper = mapper.eval() if isinstance(mapper, nn.Module) else mapper
        return record

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return the tensors of the mapper in the CPU's memory, and its other fields; TypeError where one is neither.

        From then on the mapper is on its device.
        """
        tensors, fields = tensors_and_fields(self._mapper)
        kept = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        move_to(self._mapper, self._device)
        return kept, fields

    def set_state(self, tensors: Mapping[str, Tensor], fields: Mapping[str, Any]) -> None:
        """Take a new mapper with the state of one that was fitted."""
        mapper = self._make()
        set_state(mapper, tensors, fields)
        move_to(mapper, self._device)
        self._mapper = mapper

    def __call__(self, source: Tensor) -> Tensor:
        """Map activations [..., d_source], in float32 as the mapper was fitted, whatever the dtype of the models."""
        mapped: Tensor = self._mapper(source.to(self._device).float())
        return mapped.float()

    def derivative(self, at: Tensor, along: Tensor) -> Tensor:
        """Return the directional derivative of the map at `at` along `along`, both [..., d_source]."""
        at, along = (each.to(self._device).float() for each in (at, along))
        derivative: Tensor = torch.func.jvp(self, (at,), (along,))[1]
        return derivative
