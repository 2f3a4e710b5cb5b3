"""Conditions as rows: the same prompts under every condition, decoded together and judged."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import ConfigDict, Field

from graftbench.benchmark.data.examples import Example
from graftbench.benchmark.experiments.assessment import Assessment
from graftbench.benchmark.experiments.bench import Bench, Judging, Outcome
from graftbench.benchmark.interventions.conditions import Condition, Row
from graftbench.benchmark.interventions.generation import Completion
from graftbench.benchmark.models.chat import chat, turn_chat
from graftbench.benchmark.models.handle import ModelHandle
from graftbench.benchmark.results.rows import CLEAN, MAX_UNSCORED_SHARE, Answer


def run_conditions(
    bench: Bench,
    model: ModelHandle,
    assessment: Assessment,
    split: str,
    items: Sequence[Example],
    conditions: Sequence[Condition],
    label: str,
) -> list[Answer]:
    """Return the answer to every item under every condition, condition after condition."""
    if not items:
        return []
    texts = [chat(item.prompt, model.tokenizer) for item in items]
    rows = [condition.row(item, text) for condition in conditions for item, text in zip(items, texts, strict=True)]
    replies = bench.run(model, rows, label)
    asked = [item for _ in conditions for item in items]
    outcomes = assessment.outcomes(bench, asked, replies)
    of = [condition for condition in conditions for _ in items]
    return [answer_of(split, *each) for each in zip(asked, of, replies, outcomes, strict=True)]


def with_zero_vector(unsteered: Sequence[Answer], strength: float | None) -> list[Answer]:
    """Return the answers under a mapped vector of zero at its own norm: the unsteered ones."""
    return [replace(a, condition="mapped_own_norm", strength=strength, of_mapper=True) for a in unsteered]


def items_with_ids(items: Sequence[Example], ids: Sequence[str]) -> list[Example]:
    """Return the items with these ids, in their own order."""
    wanted = set(ids)
    return [item for item in items if item.id in wanted]


def answer_of(split: str, item: Example, condition: Condition, reply: Completion, outcome: Outcome) -> Answer:
    """Return one reply with its condition and its outcome."""
    return Answer(
        split,
        item.id,
        item.prompt.text,
        condition.name,
        condition.draw,
        condition.strength,
        reply.text,
        outcome.gone,
        outcome.good,
        outcome.reason,
        dict(outcome.marks),
        condition.of_mapper,
        item.group,
        item.reference,
        outcome.took,
        dict(outcome.unscored),
    )


@dataclass(frozen=True)
class CleanAnswers:
    """The items whose clean answer is good, these answers by id, and all clean answers as they were judged."""

    items: list[Example]
    good: dict[str, str]
    answers: list[Answer]


def clean_answers(
    bench: Bench, model: ModelHandle, judging: Judging, items: Sequence[Example], label: str
) -> CleanAnswers:
    """Return the target's answers without the undesired behaviour, as `answers_when_clean` does.

    ValueError where none is good.
    """
    clean = answers_when_clean(bench, model, judging, items, label)
    if not clean.good:
        n = sum(item.clean is not None for item in items)
        raise ValueError(
            f"none of the {n} clean answers of {model.name} is good, so there is nothing to bring it back to: leave "
            "the variant out, or take a model that can do what is asked"
        )
    return clean


def answers_when_clean(
    bench: Bench, model: ModelHandle, judging: Judging, items: Sequence[Example], label: str
) -> CleanAnswers:
    """Return the target's answers without the undesired behaviour, judged against themselves.

    RuntimeError where more than 5 % of the answers are unscored.
    """
    if not items:
        return CleanAnswers([], {}, [])
    asked = [(item, item.clean) for item in items if item.clean is not None]
    replies = bench.run(model, [Row(turn_chat(clean, model)) for _, clean in asked], label)
    own = {item.id: reply.text for (item, _), reply in zip(asked, replies, strict=True)}
    outcomes = Assessment(judging, model, own).outcomes(bench, [item for item, _ in asked], replies)
    unscored = [outcome.reason for outcome in outcomes if outcome.success is None]
    if len(unscored) > MAX_UNSCORED_SHARE * len(items):
        raise RuntimeError(f"{len(unscored)} of {len(items)} clean answers are unscored: {unscored[0]}")
    good = {item.id: own[item.id] for (item, _), o in zip(asked, outcomes, strict=True) if o.success}
    judged = [
        replace(answer_of(CLEAN, item, Condition(CLEAN), reply, outcome), prompt=clean.prompt.text)
        for (item, clean), reply, outcome in zip(asked, replies, outcomes, strict=True)
    ]
    return CleanAnswers([item for item in items if item.id in good], good, judged)


ZERO_VECTOR = "zero_vector"
MAPPED_SHUFFLED = "mapped_shuffled"  # the condition of the mapper that was fitted on shuffled pairs


@dataclass(frozen=True)
class Draws:
    """Numbers of random vectors on test and on validation prompts, and of contrasts with other labels.

    `covariance` more on test prompts have the covariance of the target's activations. Labels of contrasts are permuted,
    or with `balanced` flipped in exactly half of the pairs.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")
    test: Annotated[int, Field(ge=2)] = 16
    validation: Annotated[int, Field(ge=1)] = 4
    contrast: Annotated[int, Field(ge=1)] = 4
    covariance: Annotated[int, Field(ge=0)] = 0
    balanced: bool = False

    @property
    def parts(self) -> dict[str, int]:
        """All that results depend on, as JSON can hold it; without what came later and is not used."""
        later = {"covariance": self.covariance, "balanced": self.balanced}
        used = {name: value for name, value in later.items() if value}
        return {"test": self.test, "validation": self.validation, "contrast": self.contrast, **used}
