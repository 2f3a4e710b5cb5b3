"""Clean answers: what the target says to the same prompts without the undesired behaviour."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..generation import Row
from ..models import Model
from .conditions import MOST_UNSCORED, Answer, Condition, answer_of
from .setting import Bench, Item, Judging, turn_chat

CLEAN = "clean"  # the split and the condition that they are reported under


@dataclass(frozen=True)
class Clean:
    """The items whose clean answer is good, with these answers by id, and all of them as they were judged."""

    items: list[Item]
    good: dict[str, str]
    answers: list[Answer]


def clean_answers(bench: Bench, model: Model, judging: Judging, items: Sequence[Item], what: str) -> Clean:
    """What the target says without the undesired behaviour, judged.

    RuntimeError where more than 5 % of the answers are unscored, ValueError where none is good.
    """
    asked = [(item, item.clean) for item in items if item.clean is not None]
    replies = bench.run(model, [Row(turn_chat(said, model)) for _, said in asked], what)
    outcomes = judging([item for item, _ in asked], replies)
    unscored = [outcome.reason for outcome in outcomes if outcome.success is None]
    if len(unscored) > MOST_UNSCORED * len(items):
        raise RuntimeError(f"{len(unscored)} of {len(items)} clean answers are unscored: {unscored[0]}")
    good = {item.id: reply for (item, _), reply, o in zip(asked, replies, outcomes, strict=True) if o.success}
    if not good:
        raise ValueError("no clean answer of the target is good: there is nothing to bring it back to")
    found = [
        replace(answer_of(CLEAN, item, Condition(CLEAN), reply, outcome), prompt=said.prompt.text)
        for (item, said), reply, outcome in zip(asked, replies, outcomes, strict=True)
    ]
    return Clean([item for item in items if item.id in good], good, found)
