"""What names may be, so that they are files, lines in a terminal and words on a page, and nothing else."""

import re
from typing import Annotated

from pydantic import Field, StringConstraints

MAPPER = re.compile(r"[A-Za-z0-9][\w.+-]{0,63}", re.ASCII)
MAPPER_IN_WORDS = "up to 64 letters, digits, dots, hyphens, plus signs and underscores, a letter or digit first"
SOURCE_FILE = re.compile(r"\w[\w-]{0,63}\.py", re.ASCII)

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
SuiteHash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
Word = Annotated[
    str, StringConstraints(pattern=r"^[^\p{C}\p{Zl}\p{Zp}]{1,200}$")
]  # printable: of a task, a variant, a pair
Count = Annotated[int, Field(ge=0)]
MOST = 1e30  # of any figure, so that sums of them are finite
Figure = Annotated[float, Field(ge=-MOST, le=MOST)]
