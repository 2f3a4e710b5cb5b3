"""Conditions as rows: the same prompts under every vector, decoded together and judged."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from torch import Tensor

from ..generation import Row
from ..interventions import Add, Intervention, Replace
from ..tokens import positions_of
from ..vectors import paired_positions
from .setting import Bench, Item, Outcome, Setting, chats


@dataclass(frozen=True, eq=False)
class Condition:
    """What is done to the target: a vector added [positions, d], or one put in its place; which draw, how strong."""

    name: str
    vector: Tensor | None = None
    draw: int = 0
    strength: float | None = None
    replaces: bool = False


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

    @property
    def success(self) -> bool | None:
        """Gone and good; None where either is unscored."""
        return None if self.gone is None or self.good is None else self.gone and self.good

    def record(self) -> dict[str, str | int | float | bool | None]:
        """The answer as a row of a table."""
        return asdict(self) | {"success": self.success}


def answers(
    bench: Bench, setting: Setting, split: str, items: Sequence[Item], conditions: Sequence[Condition], what: str
) -> list[Answer]:
    """Every item under every condition, conditions in turn."""
    texts = chats([item.prompt for item in items], setting.target)
    where = [positions_of(setting.positions, text, setting.target.tokenizer) for text in texts]
    rows = [
        Row(text, _interventions(setting, condition, positions))
        for condition in conditions
        for text, positions in zip(texts, where, strict=True)
    ]
    replies = bench.run(setting.target, rows, what)
    asked = [item for _ in conditions for item in items]
    outcomes = setting.judging(asked, replies)
    done = [condition for condition in conditions for _ in items]
    return [_answer(split, *together) for together in zip(asked, done, replies, outcomes, strict=True)]


MOST_UNSCORED = 0.05


def scored_everywhere(found: Sequence[Answer]) -> set[str]:
    """The prompts that have a verdict under every condition. RuntimeError where more than 5 % have not."""
    asked = {a.item for a in found}
    unscored = {a.item: a.reason for a in found if a.success is None}
    if len(unscored) > MOST_UNSCORED * len(asked):
        reason = next(iter(unscored.values()))
        raise RuntimeError(f"{len(unscored)} of {len(asked)} prompts are unscored, more than 5 %: {reason}")
    return asked - unscored.keys()


def _answer(split: str, item: Item, done: Condition, reply: str, outcome: Outcome) -> Answer:
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
    )


def _interventions(
    setting: Setting, condition: Condition, positions: tuple[int, ...] | None
) -> tuple[Intervention, ...]:
    if condition.vector is None:
        return ()
    vector = condition.vector if positions is None else paired_positions(condition.vector, len(positions))
    kind = Replace if condition.replaces else Add
    return (kind(setting.sites[1], vector.float(), positions),)
