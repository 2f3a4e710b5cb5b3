"""Conditions as rows: the same prompts under everything that is done to a model, decoded together and judged."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import ConfigDict, Field

from graftbench.benchmark.data.examples import Example
from graftbench.benchmark.experiments.bench import Bench
from graftbench.benchmark.experiments.judging import Judging, Outcome
from graftbench.benchmark.interventions.conditions import Condition, Row
from graftbench.benchmark.models.chat import chat, turn_chat
from graftbench.benchmark.models.load import Model
from graftbench.benchmark.results.answers import CLEAN, MAX_UNSCORED_SHARE, Answer


def answers(
    bench: Bench,
    model: Model,
    judging: Judging,
    split: str,
    items: Sequence[Example],
    conditions: Sequence[Condition],
    what: str,
) -> list[Answer]:
    """Every item under every condition, conditions in turn."""
    texts = [chat(item.prompt, model.tokenizer) for item in items]
    rows = [condition.row(item, text) for condition in conditions for item, text in zip(items, texts, strict=True)]
    replies = bench.run(model, rows, what)
    asked = [item for _ in conditions for item in items]
    outcomes = judging(asked, replies)
    done = [condition for condition in conditions for _ in items]
    return [answer_of(split, *together) for together in zip(asked, done, replies, outcomes, strict=True)]


def with_zero_vector(unsteered: Sequence[Answer], strength: float | None) -> list[Answer]:
    """What a mapped vector of zero does at its own length: what is said unsteered."""
    return [replace(a, condition="mapped_own_norm", strength=strength, of_mapper=True) for a in unsteered]


def chosen(items: Sequence[Example], ids: Sequence[str]) -> list[Example]:
    """The items with these ids, in their own order."""
    wanted = set(ids)
    return [item for item in items if item.id in wanted]


def answer_of(split: str, item: Example, done: Condition, reply: str, outcome: Outcome) -> Answer:
    """One reply with what was done, and what the judges say of it."""
    return Answer(
        split,
        item.id,
        item.prompt.text,
        done.name,
        done.draw,
        done.strength,
        reply,
        outcome.gone,
        outcome.good,
        outcome.reason,
        dict(outcome.marks),
        done.of_mapper,
        item.group,
        item.reference,
        outcome.took,
        dict(outcome.unscored),
    )


@dataclass(frozen=True)
class CleanAnswers:
    """The items whose clean answer is good, with these answers by id, and all of them as they were judged."""

    items: list[Example]
    good: dict[str, str]
    answers: list[Answer]


def clean_answers(bench: Bench, model: Model, judging: Judging, items: Sequence[Example], what: str) -> CleanAnswers:
    """What the target says without the undesired behaviour, judged.

    RuntimeError where more than 5 % of the answers are unscored, ValueError where none is good.
    """
    asked = [(item, item.clean) for item in items if item.clean is not None]
    replies = bench.run(model, [Row(turn_chat(said, model)) for _, said in asked], what)
    outcomes = judging([item for item, _ in asked], replies)
    unscored = [outcome.reason for outcome in outcomes if outcome.success is None]
    if len(unscored) > MAX_UNSCORED_SHARE * len(items):
        raise RuntimeError(f"{len(unscored)} of {len(items)} clean answers are unscored: {unscored[0]}")
    good = {item.id: reply for (item, _), reply, o in zip(asked, replies, outcomes, strict=True) if o.success}
    if not good:
        raise ValueError("no clean answer of the target is good: there is nothing to bring it back to")
    found = [
        replace(answer_of(CLEAN, item, Condition(CLEAN), reply, outcome), prompt=said.prompt.text)
        for (item, said), reply, outcome in zip(asked, replies, outcomes, strict=True)
    ]
    return CleanAnswers([item for item in items if item.id in good], good, found)


ZERO = "zero_vector"


@dataclass(frozen=True)
class Draws:
    """How many random vectors there are on test and on validation prompts, and how many permuted contrasts."""

    __pydantic_config__ = ConfigDict(extra="forbid")
    test: Annotated[int, Field(ge=2)] = 16
    validation: Annotated[int, Field(ge=1)] = 4
    contrast: Annotated[int, Field(ge=1)] = 4
