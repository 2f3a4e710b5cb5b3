"""Answers: one prompt under one condition, with the judges' verdicts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

MOST_UNSCORED = 0.05


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


def scored_everywhere(found: Sequence[Answer]) -> set[str]:
    """The prompts that have a verdict under every condition. RuntimeError where more than 5 % have not."""
    asked = {a.item for a in found}
    unscored = {a.item: a.reason for a in found if a.success is None}
    if len(unscored) > MOST_UNSCORED * len(asked):
        reason = next(iter(unscored.values()))
        raise RuntimeError(f"{len(unscored)} of {len(asked)} prompts are unscored, more than 5 %: {reason}")
    return asked - unscored.keys()


CLEAN = "clean"  # the split and the condition that they are reported under
