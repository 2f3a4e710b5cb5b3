"""Suites of a leaderboard: each is kept in a file from its first entry on, and its entries are ranked on their own."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from pathlib import Path

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.names import MAPPER_NAME, MAPPER_NAME_RULE
from graftbench.benchmark.results.schema import Entry, SuiteIdentity
from graftbench.benchmark.runs.suite import Suite, read_suite_file
from graftbench.leaderboard.entries import SHORT_HASH
from graftbench.leaderboard.mapper_files import strays

SUITES = "suites"


def suite_file(folder: Path, name: str) -> Path:
    """Return the file of a suite in a leaderboard's folder; UserError where the name is not safe as that of a file."""
    if not MAPPER_NAME.fullmatch(name):
        raise UserError(f"On a leaderboard the name of a suite is {MAPPER_NAME_RULE}; {name[:80]!r} is not.")
    return folder / SUITES / f"{name}.json"


def stored_suite(folder: Path, name: str) -> Suite:
    """Return a suite of a leaderboard; UserError where the leaderboard has none of this name."""
    path = suite_file(folder, name)
    if not path.exists():
        raise UserError(f"{folder} has no suite {name}: `graftbench submit` writes {path} with the first entry.")
    return read_suite_file(path)


def identity_of(suite: Suite) -> SuiteIdentity:
    """Return the name and the hash of a suite."""
    return SuiteIdentity(name=suite.name, hash=suite.hash)


def suite_conflicts(suites: Iterable[SuiteIdentity]) -> list[str]:
    """Return which suites of one leaderboard would be taken for one another, in one sentence each."""
    return [conflict for one, other in combinations(dict.fromkeys(suites), 2) for conflict in _conflicts(one, other)]


def _conflicts(one: SuiteIdentity, other: SuiteIdentity) -> Iterator[str]:
    if one.name.casefold() == other.name.casefold():
        advice = "one that measures something else needs another `name`"
        yield f"there is a suite called {one.name} already, and it is {one.hash}, not {other.hash}: {advice}"
    elif one.hash[:SHORT_HASH] == other.hash[:SHORT_HASH]:
        yield f"files of the suites {one.name} and {other.name} would have the same names: rename the newer suite"


def stray_suites(folder: Path, entries: Sequence[Entry], *rooms: str) -> list[str]:
    """Return which files of suites in some rooms of a leaderboard belong to no entry."""
    names = {f"{entry.suite.name}.json" for entry in entries}
    return [stray for room in rooms for stray in strays(folder / room, names)]
