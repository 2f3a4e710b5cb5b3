"""Whether an entry is all of a suite: its cells are those that the suite plans, under the conditions that it names."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from graftbench.benchmark.errors import UserError
from graftbench.benchmark.plan import planned
from graftbench.benchmark.suite import Suite

from .schema import Cell, Entry

SUITE = "suite.json"
Name = tuple[str, str, str, str, int, bool]


def read_suite_file(path: Path) -> Suite:
    """The suite that lies beside a run or a leaderboard; UserError where there is none."""
    try:
        return Suite.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise UserError(f"{path} holds no suite: {str(error).splitlines()[0]}.") from error


def apart_from(suite: Suite, entry: Entry) -> list[str]:
    """Where an entry is not of the whole of a suite, in one sentence each."""
    if entry.suite.hash != suite.hash:
        return [f"it says that it is of the suite {entry.suite.hash}, and the suite beside it is {suite.hash}"]
    if entry.environment.get("dtype") != suite.dtype:
        return [f"it ran in {entry.environment.get('dtype')}, and the suite says {suite.dtype}"]
    return list(_cells_apart(suite, entry))


def _cells_apart(suite: Suite, entry: Entry) -> Iterator[str]:
    first = min((cell.seed for cell in entry.cells), default=0)
    wanted: Counter[Name] = Counter(
        (cell.task, cell.variant, cell.pair, cell.track, cell.seed, cell.check)
        for cell in planned(suite, deterministic=entry.mapper.deterministic, seed=first)
    )
    there: Counter[Name] = Counter(_name(cell) for cell in entry.cells)
    for name in wanted - there:
        yield f"{_words(name)} is missing"
    for name in there - wanted:
        yield f"{_words(name)} is in it {there[name]} times, and {wanted[name]} times in the suite"


def _name(cell: Cell) -> Name:
    return cell.task, cell.variant, cell.pair, cell.track, cell.seed, cell.check


def _words(name: Name) -> str:
    task, variant, pair, track, seed, check = name
    return f"{task} {variant} {pair} {track} seed {seed}{' (check)' if check else ''}"
