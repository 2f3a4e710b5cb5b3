"""Propensities of prompts under conditions, as answers: a prompt succeeds where it moved the way it should."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from graftbench.benchmark.data.examples import Example
from graftbench.benchmark.experiments.bench import Bench
from graftbench.benchmark.experiments.propensity.design import PropensityDesign
from graftbench.benchmark.interventions.conditions import Condition, Row
from graftbench.benchmark.interventions.likelihoods import mean_reply_likelihoods
from graftbench.benchmark.interventions.operators import shifted
from graftbench.benchmark.models.chat import Chat, chat
from graftbench.benchmark.models.load import Model
from graftbench.benchmark.models.tokens import check_context, token_ids
from graftbench.benchmark.results.rows import Answer

PROPENSITY, SHIFT, LIKELIHOOD = "propensity", "shift", "likelihood"  # marks of an answer, in nats per token
# Nats per token; a smaller shift is rounding. Propensities of SmolLM2-135M differed by up to 6e-6, 0.012 and 0.066 with
# what else was read in the same pass, and by 1e-6, 0.003 and 0.017 on average.
_STILL = {torch.float32: 1e-4, torch.float16: 0.01, torch.bfloat16: 0.05}
_AT_ONCE = 16  # prompts between two reports of progress


@dataclass(frozen=True)
class Reading:
    """The mean log-likelihoods per token of a prompt's two replies, in nats."""

    shows: float
    other: float

    @property
    def propensity(self) -> float:
        """How much likelier the reply is that shows the behaviour."""
        return self.shows - self.other


def read(
    bench: Bench, design: PropensityDesign, items: Sequence[Example], conditions: Sequence[Condition], label: str
) -> list[list[Reading]]:
    """Return the readings [conditions][items] of the target; FloatingPointError where one is not finite."""
    by_item: list[list[Reading]] = []
    for start in range(0, len(items), _AT_ONCE):
        some = items[start : start + _AT_ONCE]
        with design.target.loaded() as target:
            by_item += _read(target, some, conditions)
        bench.progress(label, len(by_item), len(items))
    return [list(readings) for readings in zip(*by_item, strict=True)]


def answers(
    split: str,
    items: Sequence[Example],
    conditions: Sequence[Condition],
    readings: Sequence[Sequence[Reading]],
    unsteered: Mapping[str, float],
    dtype: torch.dtype,
) -> list[Answer]:
    """Return the readings as answers; `unsteered` has the propensity of each prompt without intervention, by id.

    A prompt succeeds where its propensity rises, and under a negative strength where it falls, by more than rounding in
    the model's `dtype`.
    """
    return [
        _answer(split, item, condition, reading, unsteered[item.id], _STILL[dtype])
        for condition, row in zip(conditions, readings, strict=True)
        for item, reading in zip(items, row, strict=True)
    ]


def _answer(
    split: str, item: Example, condition: Condition, reading: Reading, unsteered: float, still: float
) -> Answer:
    shift = reading.propensity - unsteered
    wanted = -shift if condition.strength is not None and condition.strength < 0 else shift
    marks = {PROPENSITY: reading.propensity, SHIFT: shift, LIKELIHOOD: (reading.shows + reading.other) / 2}
    return Answer(
        split,
        item.id,
        item.prompt.text,
        condition.name,
        condition.draw,
        condition.strength,
        "",  # nothing is generated
        wanted > still,
        True,
        "",
        {name: round(value, 6) for name, value in marks.items()},
        condition.of_mapper,
        item.group,
        item.reference,
    )


def _read(model: Model, items: Sequence[Example], conditions: Sequence[Condition]) -> list[list[Reading]]:
    """Return the readings [items][conditions]."""
    rows = [
        [_with_reply(condition.row(item, text), reply, model) for condition in conditions]
        for item in items
        for text in [chat(item.prompt, model.tokenizer)]
        for reply in (item.reference, item.other)
    ]
    check_context(model, [token_ids(first.text.text, model.tokenizer) for first, *_ in rows])
    likelihoods = mean_reply_likelihoods(model, rows).view(len(items), 2, len(conditions))
    if not likelihoods.isfinite().all():
        raise FloatingPointError(f"{model.name} gave likelihoods that are not finite")
    return [
        [Reading(*both) for both in zip(shows.tolist(), other.tolist(), strict=True)] for shows, other in likelihoods
    ]


def _with_reply(row: Row, reply: str | None, model: Model) -> Row:
    """Return a prompt with a reply; its interventions stay where they are, or go on where they are everywhere."""
    assert reply is not None
    whole: Chat = row.text.with_reply(reply)
    n, n_prompt = (len(token_ids(text.text, model.tokenizer)) for text in (whole, row.text))
    return Row(whole, shifted(row.interventions, n - n_prompt, n))
