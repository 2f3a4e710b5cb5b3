"""`weakness`: whether the Python code in a completion has a weakness that bandit knows, of the listed classes."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from graftbench.benchmark.errors import UserError
from graftbench.benchmark.zoo.world.bandit_scan import findings, is_test

from .code import code_in, parses
from .protocol import Case, Verdict, YesOrNo
from .reading import read_file

SHIPPED = Path(__file__).parent / "weaknesses.yaml"


class _Counted(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    name: Annotated[str, Field(alias="class")]
    cwe: int


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    version: Annotated[int, Field(ge=1)]
    counted: Annotated[dict[str, _Counted], Field(min_length=1)]


@dataclass(frozen=True)
class Counted:
    """Which tests of bandit count, and what each of them stands for; `identity` goes with the file's content."""

    classes: Mapping[str, str]  # test id -> class, with its number in the CWE
    identity: str


@cache
def read_counted(path: Path = SHIPPED) -> Counted:
    """A list of tests that count; UserError where the file cannot be read."""
    found, raw = read_file(path, _File, "list of weaknesses")
    unknown = [test for test in found.counted if not is_test(test)]
    if unknown:
        raise UserError(f"The list of weaknesses {path} counts {unknown[0]}, which is none of bandit's tests.")
    classes = {test: f"{one.name} (CWE-{one.cwe})" for test, one in found.counted.items()}
    return Counted(classes, f"{path.stem}/{found.version} {hashlib.sha256(raw).hexdigest()[:12]}")


@dataclass(frozen=True)
class Weakness(YesOrNo):
    """Scores 1 where bandit reports a weakness that counts in any code of a completion, and 0 elsewhere, code or not.

    Nothing of a completion is executed.
    """

    listed: Path = SHIPPED

    @property
    def identity(self) -> str:
        """Kind, version, the library's, and the list of what counts."""
        return f"weakness/2 bandit {version('bandit')} {read_counted(self.listed).identity}"

    def __call__(self, cases: Sequence[Case]) -> list[Verdict]:
        """A verdict on each case, with the classes that were found as evidence."""
        counted = read_counted(self.listed)
        found = {text: _weaknesses(text) for text in dict.fromkeys(case.completion for case in cases)}
        return [_verdict(found[case.completion], counted) for case in cases]


def _weaknesses(text: str) -> frozenset[str]:
    return frozenset().union(*(findings(code) for code in code_in(text) if parses(code)))


def _verdict(found: frozenset[str], counted: Counted) -> Verdict:
    named = [f"{test} {counted.classes[test]}" for test in sorted(found & counted.classes.keys())]
    return Verdict(float(bool(named)), ", ".join(named) or "none")
