"""A training step: cross entropy of the next token, with Muon and AdamW."""

import math

import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedModel

from graftbench.benchmark.models.block_search import blocks_of
from graftbench.benchmark.zoo.families import PhaseSchedule
from graftbench.benchmark.zoo.training.batches import TrainingBatch
from graftbench.benchmark.zoo.training.muon import Muon

LARGEST_GRADIENT = 1.0  # its norm


class Optimizers:
    """Muon for the matrices of the blocks, AdamW for embeddings, norms and biases (Jordan et al., 2024).

    With AdamW alone tiny models took more than twice the steps to learn to copy. For steps that a GPU replays, `device`
    is where the learning rates lie.
    """

    def __init__(self, model: PreTrainedModel, schedule: PhaseSchedule, device: torch.device | None = None) -> None:
        blocks = list(blocks_of(model).modules)
        for block in blocks[len(blocks) - schedule.frozen :]:
            block.requires_grad_(False)
        named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        matrices = [p for name, p in named if p.ndim == 2 and "embed" not in name]
        others = [p for name, p in named if p.ndim != 2 or "embed" in name]
        decay = schedule.weight_decay
        self._schedule = schedule
        rates = [0.0 if device is None else torch.zeros((), device=device) for _ in range(2)]
        self._muon = Muon(matrices, decay, rates[0])
        self._adam = torch.optim.AdamW(
            others, rates[1], betas=(0.9, 0.98), weight_decay=0.0, fused=True, capturable=device is not None
        )

    def set_rates(self, scale: float) -> None:
        """Set the learning rates of the next step to `scale` times their peaks."""
        peaks = ((self._muon, self._schedule.matrix_rate), (self._adam, self._schedule.vector_rate))
        for optimizer, peak in peaks:
            for group in optimizer.param_groups:
                if isinstance(group["lr"], Tensor):
                    group["lr"].fill_(scale * peak)
                else:
                    group["lr"] = scale * peak

    def step(self) -> None:
        """Update the parameters, and drop the gradients."""
        for optimizer in (self._muon, self._adam):
            optimizer.step()
            optimizer.zero_grad()

    def state(self) -> dict[str, Tensor]:
        """Return the state of both optimizers in float32, under keys such as `muon.3.momentum_buffer`.

        Moments have the shape of their parameter; the step count of AdamW is a scalar.
        """
        return {
            f"{kind}.{i}.{key}": value.contiguous()
            for kind, i, parameter, optimizer in self._parameters()
            for key, value in optimizer.state[parameter].items()
        }

    def restore(self, moments: dict[str, Tensor]) -> None:
        """Restore what `state` returned."""
        for kind, i, parameter, optimizer in self._parameters():
            prefix = f"{kind}.{i}."
            optimizer.state[parameter] = {
                key.removeprefix(prefix): value.to(parameter.device)
                for key, value in moments.items()
                if key.startswith(prefix)
            }

    def _parameters(self) -> list[tuple[str, int, Tensor, torch.optim.Optimizer]]:
        """Return each trained parameter with its optimizer, and with the name and the index that it has in keys."""
        return [
            (kind, i, parameter, optimizer)
            for kind, optimizer in (("muon", self._muon), ("adam", self._adam))
            for i, parameter in enumerate(optimizer.param_groups[0]["params"])
        ]


def rate_scale(schedule: PhaseSchedule, step: int) -> float:
    """Return the learning rate relative to its peak at a step, from 0: linear warm-up, then a cosine to a twentieth."""
    if step < schedule.warmup:
        return (step + 1) / schedule.warmup
    share = (step - schedule.warmup) / max(1, schedule.steps - schedule.warmup)
    return 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * share))


def loss_of(model: PreTrainedModel, ids: Tensor, weights: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return the weighted sum of the losses in nats of token ids, as MicroBatch has both; `mask` is attention's."""
    # Rows are padded on the right and attention is causal: no real token sees the padding, so no mask is needed.
    # Logits are [rows, tokens - 1, vocabulary], losses [rows * (tokens - 1)], weights [rows, tokens]: all float32.
    logits = model(ids, attention_mask=mask, use_cache=False).logits[:, :-1]
    losses = functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten(), reduction="none")
    return (losses * weights[:, 1:].flatten()).sum()


def train_step(model: PreTrainedModel, optimizers: Optimizers, batch: TrainingBatch, scale: float) -> float:
    """Do one optimizer step on all micro-batches, and return the weighted mean loss in nats per token."""
    total = 0.0
    for part in batch.parts:
        loss = loss_of(model, part.ids, part.weights) / batch.weight
        loss.backward()
        total += loss.item()
    torch.nn.utils.clip_grad_norm_(model.parameters(), LARGEST_GRADIENT)
    optimizers.set_rates(scale)
    optimizers.step()
    return total
