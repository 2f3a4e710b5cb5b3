"""Completeness of an entry: it has all cells that its suite plans, under the conditions that the suite names."""

from collections import Counter
from collections.abc import Iterator

from graftbench.benchmark.core.names import cell_name
from graftbench.benchmark.core.plugins import plugin_names
from graftbench.benchmark.results.schema import CellResult, Entry
from graftbench.benchmark.runs.plan import Cell, listed
from graftbench.benchmark.runs.suite import Suite
from graftbench.leaderboard.installed import task_version

Key = tuple[str, str, str, str, int, bool]  # task, variant, pair, track, seed, check


def unranked_reasons(entry: Entry) -> list[str]:
    """Return why an entry cannot be ranked: it has no score, for another reason than that its vectors are zero."""
    reason = entry.headline.reason
    return [] if reason in (None, "zero_vector") else [f"it has no score, for {reason.replace('_', ' ')}"]


def suite_mismatches(suite: Suite, entry: Entry) -> list[str]:
    """Return where an entry differs from what its suite asks for, in one sentence each."""
    claimed = entry.suite
    if (claimed.name, claimed.hash) != (suite.name, suite.hash):
        stored = f"{suite.name} {suite.hash}"
        return [f"it says that its suite is {claimed.name} {claimed.hash}, and the suite stored with it is {stored}"]
    if entry.environment.get("dtype") != suite.dtype:
        return [f"it ran in {entry.environment.get('dtype')}, and the suite says {suite.dtype}"]
    if entry.headline.left_out != suite.left_out:
        return ["the cells that its scores leave out are not those that its suite leaves out"]
    return [*_version_mismatches(entry), *_cell_mismatches(suite, entry)]


def _version_mismatches(entry: Entry) -> Iterator[str]:
    """Yield the tasks whose version is not the installed one; a task that is not installed is passed over."""
    for name, version in sorted({(cell.task, cell.task_version) for cell in entry.cells}):
        if name in plugin_names("tasks") and task_version(name) != version:
            yield f"{name} was of version {version}, and is of {task_version(name)} here: score it again"


def _cell_mismatches(suite: Suite, entry: Entry) -> Iterator[str]:
    planned = listed(suite, deterministic=entry.mapper.deterministic)  # seeds from 0, so that nobody picks lucky ones
    sites = {_key(cell): cell.sites for cell in planned}
    wanted, present = Counter(map(_key, planned)), Counter(map(_key, entry.cells))
    for key in wanted - present:
        yield f"{_words(key)} is missing"
    for key in present - wanted:
        yield f"{_words(key)} is in it {present[key]} times, and {wanted[key]} times in the suite"
    for cell in entry.cells:
        planned_sites = sites.get(_key(cell))
        if cell.status == "ok" and planned_sites is not None and cell.sites != planned_sites:
            yield f"{_words(_key(cell))} was run at the sites {cell.sites}, and the suite says {planned_sites}"


def _key(cell: CellResult | Cell) -> Key:
    return cell.task, cell.variant, cell.pair, cell.track, cell.seed, cell.check


def _words(key: Key) -> str:
    task, variant, pair, track, seed, check = key
    return f"{cell_name(task, variant, pair, track, seed)}{' (check)' if check else ''}"
