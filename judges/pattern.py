"""`pattern:REGULAR_EXPRESSION`: whether a completion matches a pattern, for behaviours that have a form of words."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from graftbench.benchmark.core.errors import UserError
from graftbench.judges.protocol import Case, Verdict, YesOrNo


@dataclass(frozen=True)
class Pattern(YesOrNo):
    r"""Scores 1 where the regular expression (Python's) matches somewhere in the completion, stripped of white space.

    `\A` and `\Z` tie it to the start and the end. UserError where it is none.
    """

    expression: str
    _compiled: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "_compiled", re.compile(self.expression))
        except re.error as error:
            raise UserError(f"The judge pattern:{self.expression} has no regular expression: {error}.") from error

    @property
    def identity(self) -> str:
        """Kind, version and the expression."""
        return f"pattern/1 {self.expression!r}"

    def __call__(self, cases: Sequence[Case]) -> list[Verdict]:
        """Return a verdict on each case."""
        return [self._verdict(case.completion.strip()) for case in cases]

    def _verdict(self, completion: str) -> Verdict:
        found = self._compiled.search(completion)
        return Verdict(float(found is not None), "" if found is None else f"found {found[0]!r}")
