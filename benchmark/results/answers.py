"""Answers: one prompt under one condition, with the judges' verdicts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

MAX_UNSCORED_SHARE = 0.05  # of the prompts of a cell
CLEAN = "clean"  # the split and the condition of clean answers


@dataclass(frozen=True)
class Answer:
    """The completion of one prompt under one condition, with the verdicts on it."""

    split: str
    item: str  # id of the prompt
    prompt: str
    condition: str
    draw: int
    strength: float | None
    completion: str
    gone: bool | None  # whether the undesired behaviour is gone
    good: bool | None  # whether it is a good answer
    reason: str  # why either is None
    marks: Mapping[str, float | None]  # further verdicts by name
    of_mapper: bool  # whether the condition depends on the mapper
    group: str = ""  # the class of prompts that it is reported under
    reference: str | None = None  # a reply that is known to be good
    took: Sequence[float | None] = (0, 0, 0.0)  # tokens read and written by its judges, dollars
    unscored: Mapping[str, str] = field(default_factory=dict)  # why a mark is None

    @property
    def success(self) -> bool | None:
        """True where the behaviour is gone and the answer good; None where either is unscored."""
        return None if self.gone is None or self.good is None else self.gone and self.good

    def record(self) -> dict[str, object]:
        """Return the answer as a row of a table."""
        return vars(self) | {"success": self.success}


def scored_everywhere(answers: Sequence[Answer]) -> set[str]:
    """Return the prompts that have a verdict under every condition; RuntimeError where more than 5 % have not."""
    asked = {a.item for a in answers}
    unscored = {a.item: a.reason for a in answers if a.success is None}
    if len(unscored) > MAX_UNSCORED_SHARE * len(asked):
        reason = next(iter(unscored.values()))
        raise RuntimeError(f"{len(unscored)} of {len(asked)} prompts are unscored, more than 5 %: {reason}")
    return asked - unscored.keys()
