"""Whether an entry is all of a suite: its cells are those that the suite plans, under the conditions that it names."""

from collections import Counter
from collections.abc import Iterator

from graftbench.benchmark.core.plugins import names, plugin
from graftbench.benchmark.results.schema import CellResult, Entry
from graftbench.benchmark.runs.plan import Cell, listed
from graftbench.benchmark.runs.suite import Suite

Name = tuple[str, str, str, str, int, bool]


def unranked(entry: Entry) -> list[str]:
    """Why an entry cannot be ranked: it has no score, and not for want of a direction, which shows something."""
    reason = entry.headline.reason
    return [] if reason in (None, "zero_vector") else [f"it has no score, for {reason.replace('_', ' ')}"]


def apart_from(suite: Suite, entry: Entry) -> list[str]:
    """Where an entry is not of the whole of a suite, in one sentence each."""
    if entry.suite.hash != suite.hash:
        return [f"it says that it is of the suite {entry.suite.hash}, and the suite beside it is {suite.hash}"]
    if entry.environment.get("dtype") != suite.dtype:
        return [f"it ran in {entry.environment.get('dtype')}, and the suite says {suite.dtype}"]
    return [*_versions_apart(entry), *_cells_apart(suite, entry)]


def _versions_apart(entry: Entry) -> Iterator[str]:
    """Where tasks were of another version than those that are installed; what is not installed cannot be told."""
    for name, version in sorted({(cell.task, cell.task_version) for cell in entry.cells}):
        if name in names("tasks") and plugin("tasks", name)().version != version:
            yield f"{name} was of version {version}, and is of {plugin('tasks', name)().version} here: score it again"


def _cells_apart(suite: Suite, entry: Entry) -> Iterator[str]:
    cells = listed(suite, deterministic=entry.mapper.deterministic)  # seeds from 0: none is picked out
    sites = {_name(cell): cell.sites for cell in cells}
    wanted = Counter(map(_name, cells))
    there = Counter(map(_name, entry.cells))
    for name in wanted - there:
        yield f"{_words(name)} is missing"
    for name in there - wanted:
        yield f"{_words(name)} is in it {there[name]} times, and {wanted[name]} times in the suite"
    for cell in entry.cells:
        asked = sites.get(_name(cell))
        if cell.status == "ok" and asked is not None and cell.sites != asked:
            yield f"{_words(_name(cell))} was run at the sites {cell.sites}, and the suite says {asked}"


def _name(cell: CellResult | Cell) -> Name:
    return cell.task, cell.variant, cell.pair, cell.track, cell.seed, cell.check


def _words(name: Name) -> str:
    task, variant, pair, track, seed, check = name
    return f"{task} {variant} {pair} {track} seed {seed}{' (check)' if check else ''}"
