"""Training steps on a GPU, which replays each as one CUDA graph: it waits for nothing but the next batch."""

import torch
from torch import Tensor
from transformers import PreTrainedModel

from graftbench.benchmark.models.recorded import Recorded
from graftbench.benchmark.zoo.training.batches import MicroBatch, TrainingBatch
from graftbench.benchmark.zoo.training.loop import LARGEST_GRADIENT, Optimizers, loss_of


def are_replayed(device: torch.device) -> bool:
    """Return whether steps on a device are done by `ReplayedSteps`."""
    return device.type != "cpu"


class ReplayedSteps:
    """Steps of a model on batches in one part; there is a recording for each number of tokens.

    The optimizers need their learning rates on the model's device.
    """

    def __init__(self, model: PreTrainedModel, optimizers: Optimizers) -> None:
        self._model, self._optimizers = model, optimizers
        self._steps: dict[torch.Size, _Step] = {}

    def __call__(self, batch: TrainingBatch, scale: float) -> Tensor:
        """Do one step as `train_step` does; its loss lies on the device, and is that of a later step afterwards."""
        (part,) = batch.parts
        if part.ids.shape not in self._steps:
            self._steps[part.ids.shape] = _Step(self._model, self._optimizers, part.ids.shape)
        self._optimizers.set_rates(scale)
        return self._steps[part.ids.shape](part, batch.weight)


class _Step:
    """A step on batches of one shape, in tensors that keep their places."""

    def __init__(self, model: PreTrainedModel, optimizers: Optimizers, shape: torch.Size) -> None:
        self._model, self._optimizers, device = model, optimizers, model.device
        self._ids = torch.zeros(shape, dtype=torch.long, device=device)
        self._weights = torch.zeros(shape, device=device)
        self._loss = torch.zeros((), device=device)
        # Without a mask transformers looks whether texts are packed into a row, and waits for the device.
        self._mask = _causal_mask(shape[1], device)
        self._recorded = Recorded(device, f"a training step on {shape[1]} tokens")

    def __call__(self, part: MicroBatch, weight: float) -> Tensor:
        _put(self._ids, part.ids)
        _put(self._weights, part.weights / weight)
        self._recorded(self._update)
        return self._loss

    def _update(self) -> None:
        loss = loss_of(self._model, self._ids, self._weights, self._mask)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._model.parameters(), LARGEST_GRADIENT)
        self._optimizers.step()
        self._loss.copy_(loss.detach())


def _put(place: Tensor, values: Tensor) -> None:
    """Copy values on the host into a tensor, without a wait for the device."""
    place.copy_(values.pin_memory() if place.is_cuda else values, non_blocking=True)


def _causal_mask(n_tokens: int, device: torch.device) -> Tensor:
    """Return what attention adds to its scores, [1, 1, tokens, tokens]."""
    lowest = torch.finfo(torch.float32).min
    return torch.full((n_tokens, n_tokens), lowest, device=device).triu(1)[None, None]
