"""Checks that what is read from a model, and done to it, is right: each against transformers alone."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import GenerationConfig

from graftbench.benchmark.activations.capture import residuals
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.store import Store
from graftbench.benchmark.interventions.ablation_check import left_of_ablated, most_left
from graftbench.benchmark.interventions.conditions import Row
from graftbench.benchmark.interventions.decoding import stop_tokens
from graftbench.benchmark.interventions.generation import generate
from graftbench.benchmark.interventions.likelihoods import reply_likelihoods
from graftbench.benchmark.interventions.logits import next_logits
from graftbench.benchmark.interventions.operators import Add
from graftbench.benchmark.models.chat import Chat, plain_text
from graftbench.benchmark.models.handle import ModelHandle
from graftbench.benchmark.models.load import Model
from graftbench.benchmark.models.shipped import is_shipped
from graftbench.benchmark.models.tokens import pad, token_ids

ABLATED = "nothing left along an ablated direction"
_N_NEW = 8  # tokens
_TEXTS = (
    "The river",
    "Once upon a time there was a king who",
    "To mend a fence one needs",
    "A",
    "The capital of France is",
    "Water boils at a hundred degrees, and it freezes at",
    "My favourite colour is",
    "In the beginning of the year the days are short and the nights are",
)
_ROUNDING = {torch.float32: 1e-4, torch.float16: 0.02, torch.bfloat16: 0.1}  # as shares of the largest value


@dataclass(frozen=True)
class Check:
    """A check of a model: the largest difference from transformers, as a share of the largest value, and its bound."""

    name: str
    error: float
    most: float

    @property
    def passed(self) -> bool:
        """True where the difference is within its bound; NaN is not."""
        return self.error <= self.most


def check_once(store: Store, model: ModelHandle) -> None:
    """Raise UserError where a model fails a check; a model that passed, or that ships, is not checked again.

    What is left of an ablated direction matters to those who ablate one: `check_ablation` is theirs.
    """
    if is_shipped(model.name):
        return

    def make() -> list[dict[str, Any]]:
        with model.loaded() as loaded:
            kind, every = type(loaded.module).__name__, checks_of(loaded)
        checks = [check for check in every if check.name != ABLATED]
        failed = [f"{each.name} (off by {each.error:.2g}, at most {each.most:g})" for each in checks if not each.passed]
        if failed:
            raise UserError(
                f"{model.name}, a {kind}, does not pass the checks of a model: "
                f"{', '.join(failed)}. Its results would be wrong."
            )
        return [asdict(check) for check in checks]

    store.value("model_checks", [model.identity, model.device.type], make)


def checks_of(model: Model, begins: Callable[[str], None] = lambda _: None) -> list[Check]:
    """Return the checks of a model, on eight short texts; `begins` is told the name of each before it begins."""
    rows = [Row(plain_text(text, model.tokenizer)) for text in _TEXTS]
    rounding = _ROUNDING[model.module.dtype]
    measured: list[tuple[str, Callable[[Model, Sequence[Row]], float], float]] = [
        ("batch of 8 = batch of 1 = generate", _of_generation, rounding),
        ("strength 0 = no intervention", _of_strength_zero, 0.0),
        ("captured = output_hidden_states", _of_capture, rounding),
        ("likelihoods = a plain forward pass", _of_likelihoods, rounding),
        (ABLATED, lambda model, _: left_of_ablated(model), most_left(model)),
    ]
    checks = []
    for name, measure, most in measured:
        begins(name)
        checks.append(Check(name, measure(model, rows), most))
    return checks


def _of_generation(model: Model, rows: Sequence[Row]) -> float:
    """Return the largest preference for one token where two ways of decoding took different ones."""
    together = generate(model, rows, max_new_tokens=_N_NEW, batch_size=len(rows))
    alone = generate(model, rows, max_new_tokens=_N_NEW, batch_size=1)
    own = [_generated(model, row.text) for row in rows]
    errors = [
        _preference(model, row.text, a.tokens, b)
        for row, a, *others in zip(rows, together, [one.tokens for one in alone], own, strict=True)
        for b in others
    ]
    return max(errors)


@torch.inference_mode()
def _generated(model: Model, text: Chat) -> tuple[int, ...]:
    """Return the tokens that transformers' own generate gives, up to the first that ends a reply."""
    ids = torch.tensor([token_ids(text.text, model.tokenizer)], device=model.device)
    stop = sorted(stop_tokens(model))
    own = model.module.generation_config
    model.module.generation_config = GenerationConfig()  # beams, penalties and the like are no part of it
    try:
        made = _greedy(model, ids, stop)
    finally:
        model.module.generation_config = own
    return tuple(made[0, ids.shape[1] :].tolist())


def _greedy(model: Model, ids: Tensor, stop: Sequence[int]) -> Tensor:
    made: Tensor = model.module.generate(  # type: ignore[operator]
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=_N_NEW,
        do_sample=False,
        eos_token_id=list(stop) or None,
        pad_token_id=stop[0] if stop else 0,
    )
    return made


@torch.inference_mode()
def _preference(model: Model, text: Chat, one: Sequence[int], other: Sequence[int]) -> float:
    """Return how far apart the logits of the first tokens are that differ: a tie is rounding."""
    where = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)
    if where is None:
        return 0.0 if len(one) == len(other) else float("inf")
    ids = [*token_ids(text.text, model.tokenizer), *one[:where]]
    logits = model.module(**pad([ids], model), use_cache=False).logits[0, -1].float()
    return float((logits[one[where]] - logits[other[where]]).abs() / logits.abs().max())


def _of_strength_zero(model: Model, rows: Sequence[Row]) -> float:
    nothing = torch.zeros(model.d)
    added = [Row(row.text, tuple(Add(site, nothing, None) for site in range(len(model.blocks)))) for row in rows]
    return float((next_logits(model, rows) - next_logits(model, added)).abs().max())


@torch.inference_mode()
def _of_capture(model: Model, rows: Sequence[Row]) -> float:
    inputs = pad([token_ids(row.text.text, model.tokenizer) for row in rows], model)
    sites = range(len(model.blocks))
    captured = residuals(model, inputs, list(sites))
    expected = model.module(**inputs, output_hidden_states=True, use_cache=False).hidden_states
    real = inputs["attention_mask"].bool()
    return max(_share(captured[site].to(real.device)[real], expected[site][real]) for site in sites)


@torch.inference_mode()
def _of_likelihoods(model: Model, rows: Sequence[Row]) -> float:
    reply = " is a good answer"
    found = reply_likelihoods(model, [Row(row.text.with_reply(reply)) for row in rows])
    expected = [_likelihood(model, row.text, reply) for row in rows]
    return _share(found, torch.stack(expected))


def _likelihood(model: Model, text: Chat, reply: str) -> Tensor:
    n = len(token_ids(text.text, model.tokenizer))
    ids = torch.tensor([token_ids(text.text + reply, model.tokenizer)], device=model.device)
    logits = model.module(input_ids=ids, use_cache=False).logits[0].double().log_softmax(-1)
    total: Tensor = logits[n - 1 : -1].gather(-1, ids[0, n:, None]).sum()
    return total.cpu()


def _share(found: Tensor, expected: Tensor) -> float:
    return float((found.double() - expected.double()).abs().max() / expected.double().abs().max())
