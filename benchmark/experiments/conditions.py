"""Conditions as rows: the same prompts under everything that is done to a model, decoded together and judged."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..generation import Row
from ..models import Model
from ..tokens import Chat, chat
from .setting import Bench, Item, Judging, Outcome

MOST_UNSCORED = 0.05


def untouched(_: Item, text: Chat) -> Row:
    """Nothing is done."""
    return Row(text)


@dataclass(frozen=True, eq=False)
class Condition:
    """What is done to the model for a row; which random draw, how strong, and whether a mapper has a part in it."""

    name: str
    row: Callable[[Item, Chat], Row] = untouched
    draw: int = 0
    strength: float | None = None
    of_mapper: bool = False


@dataclass(frozen=True)
class Answer:
    """One prompt under one condition: what was said, and what the judges say of it."""

    split: str
    item: str
    prompt: str
    condition: str
    draw: int
    strength: float | None
    completion: str
    gone: bool | None
    good: bool | None
    reason: str
    marks: Mapping[str, float | None]
    of_mapper: bool
    group: str = ""
    reference: str | None = None
    took: Sequence[float | None] = (0, 0, 0.0)  # tokens read and written by its judges, dollars
    unscored: Mapping[str, str] = field(default_factory=dict)  # why a mark is None

    @property
    def success(self) -> bool | None:
        """Gone and good; None where either is unscored."""
        return None if self.gone is None or self.good is None else self.gone and self.good

    def record(self) -> dict[str, object]:
        """The answer as a row of a table."""
        return vars(self) | {"success": self.success}


def answers(
    bench: Bench,
    model: Model,
    judging: Judging,
    split: str,
    items: Sequence[Item],
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


def scored_everywhere(found: Sequence[Answer]) -> set[str]:
    """The prompts that have a verdict under every condition. RuntimeError where more than 5 % have not."""
    asked = {a.item for a in found}
    unscored = {a.item: a.reason for a in found if a.success is None}
    if len(unscored) > MOST_UNSCORED * len(asked):
        reason = next(iter(unscored.values()))
        raise RuntimeError(f"{len(unscored)} of {len(asked)} prompts are unscored, more than 5 %: {reason}")
    return asked - unscored.keys()


def with_zero_vector(unsteered: Sequence[Answer], strength: float | None) -> list[Answer]:
    """What a mapped vector of zero does at its own length: what is said unsteered."""
    return [replace(a, condition="mapped_own_norm", strength=strength, of_mapper=True) for a in unsteered]


def chosen(items: Sequence[Item], ids: Sequence[str]) -> list[Item]:
    """The items with these ids, in their own order."""
    wanted = set(ids)
    return [item for item in items if item.id in wanted]


def answer_of(split: str, item: Item, done: Condition, reply: str, outcome: Outcome) -> Answer:
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
