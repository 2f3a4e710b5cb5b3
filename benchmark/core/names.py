"""What names may be, so that they are files, lines in a terminal and words on a page, and nothing else."""

import re
from typing import Annotated

from pydantic import Field, StringConstraints

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.text import LONGEST

MAPPER = re.compile(r"[A-Za-z0-9][\w.+-]{0,63}", re.ASCII)
MAPPER_IN_WORDS = "up to 64 letters, digits, dots, hyphens, plus signs and underscores, a letter or digit first"
SOURCE_FILE = re.compile(r"\w[\w-]{0,63}\.py", re.ASCII)

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
SuiteHash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
_SEEN = r"^[^\p{C}\p{Zl}\p{Zp}]*$"  # printable, in one line
Word = Annotated[str, StringConstraints(pattern=_SEEN, min_length=1, max_length=200)]  # of a task, a condition, a key
Line = Annotated[str, StringConstraints(pattern=_SEEN, max_length=LONGEST)]  # a reason, a source
Identity = Annotated[str, StringConstraints(pattern=_SEEN, max_length=10_000)]  # of a judge, who may be many

MOST_COUNT = 10**15
Count = Annotated[int, Field(ge=0, le=MOST_COUNT)]
Whole = Annotated[int, Field(ge=-(2**63), lt=2**63)]
MOST = 1e30  # of any figure, so that sums of them are finite
Figure = Annotated[float, Field(ge=-MOST, le=MOST)]
Share = Annotated[float, Field(ge=0, le=1)]
Strength = Annotated[float, Field(gt=0, lt=1e6)]


def split_pair(pair: str) -> tuple[str, str]:
    """Source and target of `source->target`; UserError for anything else."""
    source, arrow, target = pair.partition("->")
    if not (source and arrow and target):
        raise UserError(f"The pair {pair!r} is not of the form source->target.")
    return source, target
