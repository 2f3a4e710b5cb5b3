"""One step of training: AdamW on the cross entropy of the next token."""

import math

import torch
from torch.nn import functional
from transformers import PreTrainedModel

from .batches import Batch
from .families import Training


def optimizer_for(model: PreTrainedModel, plan: Training) -> torch.optim.AdamW:
    """AdamW without decay of norms and biases."""
    matrices = [p for p in model.parameters() if p.ndim >= 2]
    vectors = [p for p in model.parameters() if p.ndim < 2]
    groups = [{"params": matrices, "weight_decay": plan.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=plan.learning_rate, betas=(0.9, 0.98), fused=True)


def learning_rate(plan: Training, step: int) -> float:
    """Linear warm-up, then a cosine from the peak to a twentieth of it."""
    if step < plan.warmup:
        return plan.learning_rate * (step + 1) / plan.warmup
    share = (step - plan.warmup) / max(1, plan.steps - plan.warmup)
    return plan.learning_rate * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * share)))


def train_step(model: PreTrainedModel, optimizer: torch.optim.Optimizer, batch: Batch, rate: float) -> float:
    """One optimizer step; returns the weighted mean loss, in nats per token."""
    for group in optimizer.param_groups:
        group["lr"] = rate
    total = 0.0
    for part in batch.parts:
        # Rows are padded on the right and attention is causal: no real token sees the padding, so no mask.
        logits = model(part.ids, use_cache=False).logits[:, :-1]
        losses = functional.cross_entropy(logits.flatten(0, 1), part.ids[:, 1:].flatten(), reduction="none")
        loss = (losses * part.weights[:, 1:].flatten()).sum() / batch.weight
        loss.backward()
        total += loss.item()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()
    return total
