"""Cells run again on test prompts that are not the suite's: another seed draws them from the pocket world.

The world is no secret, and of some behaviours it has few other prompts: this finds out who knows those of the suite.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import hypot
from pathlib import Path

from rich.console import Console

from graftbench.benchmark.results.schema import CellResult, Entry, Rate
from graftbench.benchmark.runs.suite import Suite
from graftbench.leaderboard.rerun import name_of, run_again, stored_parts, trusted_mapper

_DRAWN = "pocket"  # the dataset that draws test prompts by a seed


@dataclass(frozen=True)
class Difference:
    """A rate on other prompts minus that on the suite's, with its interval."""

    value: float
    low: float
    high: float


def other_prompts_of_entry(
    path: Path, folder: Path, names: Sequence[str], seed: int, *, trust: bool, out: Path, console: Console
) -> list[str]:
    """Run cells of the entry in a file on the test prompts of another seed; return a line for each.

    Cells of tasks whose dataset draws none by a seed are not run. UserError where what is a stranger's may not be run.
    """
    entry, source, suite = stored_parts(path, folder)
    info = trusted_mapper(entry, suite, source, trust=trust)
    named = _named(entry, names)
    drawn = [name for name, cell in named if _is_drawn(suite.tasks[cell.task].dataset)]
    cells = run_again(entry, with_test_seed(suite, seed), info, drawn, out, console) if drawn else {}
    return [
        line_of(name, cell, cells.get(name)) if name in drawn else f"{name}: the dataset of its task draws no others"
        for name, cell in named
    ]


def with_test_seed(suite: Suite, seed: int) -> Suite:
    """Return a suite whose test prompts are drawn by a seed, where its tasks have the pocket world's."""
    tasks = {
        name: task.model_copy(update={"dataset": {"name": _DRAWN, "test_seed": seed}})
        if _is_drawn(task.dataset)
        else task
        for name, task in suite.tasks.items()
    }
    return suite.model_copy(update={"tasks": tasks})


def _is_drawn(dataset: object) -> bool:
    return dataset == _DRAWN or (isinstance(dataset, Mapping) and dataset.get("name") == _DRAWN)


def line_of(name: str, stored: CellResult, other: CellResult | None) -> str:
    """Return what a cell comes to on other prompts, in one line."""
    if other is None or other.status != "ok":
        reason = "it is not planned" if other is None else f"it {other.status}: {other.reason}"
        return f"{name}, other prompts: {reason}"
    parts = [_part(condition, stored.rates[condition], other.rates.get(condition)) for condition in _shown(stored)]
    verdict = "surely loses more on them than native does" if falls_off(stored, other) else "does not surely lose more"
    return f"{name}, {len(other.prompt_ids)} other prompts: {'; '.join(parts)}. The mapper {verdict}"


def falls_off(stored: CellResult, other: CellResult) -> bool:
    """Return whether the mapper surely loses more on other prompts than native does, at 95 %."""
    native, mapped = (_difference(stored.rates.get(c), other.rates.get(c)) for c in ("native", "mapped"))
    if native is None or mapped is None:
        return False
    more = mapped.value - native.value
    return more + hypot(mapped.high - mapped.value, native.value - native.low) < 0


def _shown(cell: CellResult) -> list[str]:
    return [condition for condition in ("unsteered", "native", "mapped") if condition in cell.rates]


def _part(condition: str, before: Rate, now: Rate | None) -> str:
    change = _difference(before, now)
    if change is None:
        return f"{condition} has no rate"
    assert now is not None
    interval = f"{change.low:+.2f} to {change.high:+.2f}"
    return f"{condition} {before.value:.2f}, now {now.value:.2f} ({change.value:+.2f}, {interval})"


def _difference(before: Rate | None, now: Rate | None) -> Difference | None:
    """Return the difference of two independent rates by their intervals (MOVER: Zou and Donner, 2008)."""
    if before is None or now is None:
        return None
    values = before.value, before.low, before.high, now.value, now.low, now.high
    if any(value is None for value in values):
        return None
    b, b_low, b_high, n, n_low, n_high = (float(value) for value in values if value is not None)
    return Difference(n - b, n - b - hypot(n - n_low, b_high - b), n - b + hypot(n_high - n, b - b_low))


def _named(entry: Entry, names: Sequence[str]) -> list[tuple[str, CellResult]]:
    stored = {name_of(cell): cell for cell in entry.cells}
    return [(name, stored[name]) for name in names]
