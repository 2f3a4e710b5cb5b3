"""Bounds on names and numbers in entries, so that they are safe as file names, in a terminal and on a page."""

import re
from typing import Annotated

from pydantic import Field, StringConstraints

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.escaping import MAX_REASON

MAPPER_NAME = re.compile(r"[A-Za-z0-9][\w.+-]{0,63}", re.ASCII)
MAPPER_NAME_RULE = "up to 64 letters, digits, dots, hyphens, plus signs and underscores, a letter or digit first"
SOURCE_FILE = re.compile(r"\w[\w-]{0,63}\.py", re.ASCII)

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
SuiteHash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
_PRINTED = r"^[^\p{C}\p{Zl}\p{Zp}]*$"  # printable, in one line
Word = Annotated[
    str, StringConstraints(pattern=_PRINTED, min_length=1, max_length=200)
]  # of a task, a condition, a key
Line = Annotated[str, StringConstraints(pattern=_PRINTED, max_length=MAX_REASON)]  # a reason, a source
Identity = Annotated[str, StringConstraints(pattern=_PRINTED, max_length=10_000)]  # of a judge, or of several combined

MAX_COUNT = 10**15
Count = Annotated[int, Field(ge=0, le=MAX_COUNT)]
Integer = Annotated[int, Field(ge=-(2**63), lt=2**63)]
MAX_FIGURE = 1e30  # of any figure, so that sums of them are finite
Figure = Annotated[float, Field(ge=-MAX_FIGURE, le=MAX_FIGURE)]
Share = Annotated[float, Field(ge=0, le=1)]
Strength = Annotated[float, Field(gt=0, lt=1e6)]


def cell_name(task: str, variant: str, pair: str, track: str, seed: int | None = None) -> str:
    """Return the name of a cell in words; without a seed, the name that its seeds share."""
    return f"{task} {variant} {pair} {track}" + ("" if seed is None else f" seed {seed}")


def split_pair(pair: str) -> tuple[str, str]:
    """Return source and target of `source->target`; UserError for anything else."""
    source, arrow, target = pair.partition("->")
    if not (source and arrow and target):
        raise UserError(f"The pair {pair!r} is not of the form source->target.")
    return source, target
