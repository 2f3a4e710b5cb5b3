"""An affine map that is trained on the target's own loss: a reference that is given more than mappers are.

It is no mapper, for mappers get activations alone, and it sees what the target makes of them. At the target's site,
W h + b of the source's states on the same text replaces all states, and the target's loss on the tokens of replies is
minimised over W and b, as in model stitching (Bansal et al., 2021). Training starts from least squares.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import cross_entropy

from graftbench.benchmark.activations.capture import capture_rows
from graftbench.benchmark.activations.tensor_files import write_tensors
from graftbench.benchmark.core.files import atomic_write, write_text
from graftbench.benchmark.core.store import Store
from graftbench.benchmark.data.examples import Conversations, key_of
from graftbench.benchmark.interventions.cross_model import latest_match
from graftbench.benchmark.interventions.hooks import Batch
from graftbench.benchmark.interventions.operators import Replace
from graftbench.benchmark.mappers.builtin.linear import Linear, best_penalty, moments_of_batches, ridge_weights
from graftbench.benchmark.models.alignment import align, token_ends
from graftbench.benchmark.models.architectures import Sites
from graftbench.benchmark.models.chat import with_reply
from graftbench.benchmark.models.handle import ModelHandle
from graftbench.benchmark.models.load import Model
from graftbench.benchmark.models.tokens import pad, token_ids

TARGET_LOSS = "target_loss"  # the condition
_AT_ONCE = 16  # texts of a step
_RATE = 0.05  # of AdamW, times the root mean square of the weights, and of the biases; it falls to 0 in a line
_WEIGHTS, _LOSSES = "map.safetensors", "losses.json"


@dataclass(frozen=True, eq=False)
class TargetLossMap:
    """The map, and mean losses per token of the target on held-out replies, in nats.

    They are those of the untouched target (`own_loss`), and under replacement by least squares (`least_squares_loss`)
    and by the trained map (`replaced_loss`).
    """

    carry: Linear
    losses: dict[str, float]


@dataclass(frozen=True)
class _Read:
    """A text as the target reads it, and the source's states [positions, d_source] that stand at its positions."""

    ids: list[int]
    start: int  # the first token of the reply
    positions: tuple[int, ...]  # from the right: those from the first aligned token on
    source: Tensor


@dataclass(frozen=True, eq=False)
class _Pair:
    """Both models, and the site in each."""

    source: Model
    target: Model
    sites: Sites

    def read(self, texts: Conversations) -> list[_Read]:
        """Return how both models read some texts; those without an aligned token are left out."""
        both = [[with_reply(p, reply, model) for p, reply in texts] for model in (self.source, self.target)]
        ids = [token_ids(text.text, self.source.tokenizer) for text in both[0]]
        states = dict(capture_rows(self.source, ids, self.sites[0]))
        read = []
        for i, (one, other) in enumerate(zip(*both, strict=True)):
            ends = token_ends(other, self.target.tokenizer)
            pairing = align(token_ends(one, self.source.tokenizer), ends)
            if pairing.target:
                rows = [pairing.source[match] for match in latest_match(pairing.target, len(ends))]
                where = tuple(range(-len(rows), 0))
                all_ids, prompt = (
                    token_ids(text, self.target.tokenizer) for text in (other.text, other.text[: other.spans[-1][0]])
                )
                read.append(_Read(all_ids, len(prompt), where, states[i][rows].clone().float()))
        return read

    def rows(self, texts: Conversations) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the states of both models [n, d] at the positions of some texts."""
        for some in _parts(texts):
            read = self.read(some)
            for i, states in capture_rows(self.target, [each.ids for each in read], self.sites[1]):
                yield read[i].source.cpu(), states[-len(read[i].positions) :].float().cpu()

    def losses(self, texts: Conversations, carry: Linear | None) -> Tensor:
        """Return the loss [tokens] of all tokens of replies; None: of the untouched target."""
        read = self.read(texts)
        steps = [() if carry is None else self._replaced(each, carry) for each in read]
        inputs = pad([each.ids for each in read], self.target)
        with Batch(steps).on(self.target.blocks):
            logits = self.target.module(**inputs, use_cache=False).logits[:, :-1].float()
        asked = torch.zeros_like(inputs["input_ids"], dtype=torch.bool)
        for row, each in enumerate(read):
            n = len(each.ids) - max(1, each.start)
            asked[row, asked.shape[1] - n :] = True
        return cross_entropy(logits[asked[:, 1:]], inputs["input_ids"][asked], reduction="none")

    def _replaced(self, read: _Read, carry: Linear) -> tuple[Replace, ...]:
        return (Replace(self.sites[1], carry(read.source).to(self.target.device), read.positions),)

    @torch.no_grad()
    def mean_loss(self, texts: Conversations, carry: Linear | None) -> float:
        """Return the mean loss per token over some texts."""
        return float(torch.cat([self.losses(some, carry).cpu() for some in _parts(texts)]).mean())


def target_loss_map(
    store: Store,
    source: ModelHandle,
    target: ModelHandle,
    sites: Sites,
    texts: Conversations,
    held_out: Conversations,
    steps: int,
    seed: int,
) -> TargetLossMap:
    """Return the map, trained on some texts in so many steps, from the cache where it is there."""
    words = [[key_of(text) for text in some] for some in (texts, held_out)]
    parts = [source.identity, target.identity, target.device.type, sites, words, steps, seed, [_AT_ONCE, _RATE]]

    def make(folder: Path) -> None:
        with source.loaded() as one, target.loaded() as other:
            made = _trained(_Pair(one, other, sites), texts, held_out, steps, seed)
        with atomic_write(folder / _WEIGHTS) as path:
            write_tensors({"weight": made.carry.weight, "bias": made.carry.bias}, path)
        write_text(folder / _LOSSES, json.dumps(made.losses))

    folder = store.folder("target_loss", parts, make)
    return TargetLossMap(Linear(**load_file(folder / _WEIGHTS)), json.loads((folder / _LOSSES).read_text()))


def _trained(pair: _Pair, texts: Conversations, held_out: Conversations, steps: int, seed: int) -> TargetLossMap:
    first = _least_squares(pair, texts, held_out)
    carry = Linear(weight=first.weight.clone().requires_grad_(), bias=first.bias.clone().requires_grad_())
    both = [carry.weight, carry.bias]
    groups = [{"params": [each], "lr": _RATE * float(each.detach().square().mean().sqrt())} for each in both]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, steps)
    with torch.enable_grad():
        for some in _drawn(texts, steps, seed):
            optimizer.zero_grad()
            pair.losses(some, carry).mean().backward(inputs=both)
            optimizer.step()
            schedule.step()
    trained = Linear(weight=carry.weight.detach(), bias=carry.bias.detach())
    named = {"own_loss": None, "least_squares_loss": first, "replaced_loss": trained}
    return TargetLossMap(trained, {name: pair.mean_loss(held_out, each) for name, each in named.items()})


def _least_squares(pair: _Pair, texts: Conversations, held_out: Conversations) -> Linear:
    """Return the ridge solution with the penalty that is best on held-out texts."""
    widths = pair.source.d, pair.target.d
    fitted, tried = (moments_of_batches(pair.rows(some), *widths) for some in (texts, held_out))
    carry = Linear()
    carry.set_about_means(ridge_weights(fitted, [best_penalty(fitted, tried)])[0], fitted)
    return carry


def _drawn(texts: Conversations, steps: int, seed: int) -> Iterator[Conversations]:
    """Yield the texts of each step: all are drawn before one is drawn again."""
    generator = torch.Generator().manual_seed(seed)
    order: list[int] = []
    for _ in range(steps):
        while len(order) < _AT_ONCE:
            order += torch.randperm(len(texts), generator=generator).tolist()
        yield [texts[i] for i in order[:_AT_ONCE]]
        del order[:_AT_ONCE]


def _parts(texts: Conversations) -> Iterator[Conversations]:
    for start in range(0, len(texts), _AT_ONCE):
        yield texts[start : start + _AT_ONCE]
