"""Sweeps over sites, strengths or positions: how a model can be steered natively, on validation prompts.

Each site or position is shown at its best strength; strengths and positions are swept at the site of the suite.
A site is good enough where native is ahead of its control by at least half of its largest lead. For steering, the site
to use is the last of them before the drop, as in Oozeer et al. (2025, section 4.1 and table 22): on
the sweep that they print (table 3: ..., 92, 80, 34, 0 %) this is the site that they chose. Where activations are
replaced, only the blocks after the site are left of the running model, so the first is taken.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.files import atomic_write, write_text
from graftbench.benchmark.core.names import split_pair
from graftbench.benchmark.core.store import Store
from graftbench.benchmark.core.tables import print_table
from graftbench.benchmark.experiments.protocol import OWN, SweepPoint
from graftbench.benchmark.models.tokens import Position
from graftbench.benchmark.runs.context import BatchSize, RunContext, Settings, context_of
from graftbench.benchmark.runs.executors.choose import Where
from graftbench.benchmark.runs.executors.protocol import Job, stop_at_failure
from graftbench.benchmark.runs.outlook import needs_of
from graftbench.benchmark.runs.plan import Cell
from graftbench.benchmark.runs.progress import Bars
from graftbench.benchmark.runs.suite import Suite
from graftbench.benchmark.runs.sweeps.plots import panels

KEEPS = 0.5


Over = Literal["site", "strength", "position"]
At = int | float | str | None  # a site, a strength or a position


@dataclass(frozen=True)
class Point:
    """Success rates at one site, strength and position: of native and, on average, of its control.

    Site and position are None where they are the suite's or the task's own.
    """

    site: int | None
    position: Position
    strength: float | None
    unsteered: float
    native: float
    control: float

    @property
    def ahead(self) -> float:
        """The lead of native over its control."""
        return round(self.native - self.control, 9)


@dataclass(frozen=True)
class NativeSweep:
    """One model in one variant, at all sites, strengths or positions."""

    task: str
    variant: str
    model: str
    over: Over
    control: str
    choose: Literal["last", "first", "own"]
    own: int | None
    points: tuple[Point, ...]

    @property
    def best(self) -> At:
        """The site to use, or the strength or position where native is furthest ahead; None where it is nowhere."""
        if self.over != "strength" and self.choose == "own":
            return self.own
        leading = max(self.points, key=lambda point: point.ahead)
        if leading.ahead <= 0:
            return None
        if self.over != "site":
            return self.at(leading)
        good = [point.site for point in self.points if point.ahead >= KEEPS * leading.ahead]
        return good[-1] if self.choose == "last" else good[0]

    def at(self, point: Point) -> At:
        """Return the value that is swept over."""
        return {"site": point.site, "strength": point.strength, "position": point.position}[self.over]


def points_of(tried: SweepPoint, site: int | None = None, position: Position = None) -> list[Point]:
    """Return the point of each strength; one without strength or lead where there is no native intervention."""
    unsteered = _rate(tried.rows, "unsteered", None)
    strengths = list(dict.fromkeys(row["strength"] for row in tried.rows if row["condition"] == "native"))
    if not strengths:
        return [Point(site, position, None, unsteered, 0.0, 0.0)]
    native, control = ({s: _rate(tried.rows, name, s) for s in strengths} for name in ("native", tried.control))
    return [Point(site, position, s, unsteered, native[s], control[s]) for s in strengths]


def point_of(tried: SweepPoint, site: int | None = None, position: Position = None) -> Point:
    """Return the strength with the largest lead of native, the smaller on a tie."""
    return max(points_of(tried, site, position), key=lambda point: point.ahead)


def _rate(rows: Sequence[Mapping[str, Any]], condition: str, strength: float | None) -> float:
    found = [row["success"] for row in rows if row["condition"] == condition and row["strength"] == strength]
    scored = [success for success in found if success is not None]
    return round(sum(scored) / len(scored), 4) if scored else 0.0


def sweep(
    suite: Suite,
    cells: Sequence[Cell],
    over: Over,
    out: Path,
    console: Console,
    *,
    batch_size: BatchSize,
    device: str,
    where: Where,
) -> list[NativeSweep]:
    """Sweep every model of the cells in every variant; print a table, and write it with a plot into `out`."""
    workers = where.on_one_machine
    settings = Settings(suite.model_dump_json(), batch_size, where.device(device), Store().place, workers=workers)
    swept = _models(cells, over)
    needs = needs_of(suite, swept, settings)
    jobs = [Job(cell.name, try_cell, (cell, over, settings), needs=needs[cell.reference]) for cell in swept]
    with Bars(swept, jobs, console) as bars:
        results = where.executor_for(settings).run(jobs, bars)
    stop_at_failure("The sweep", results)
    found = [_swept(cell, over, *results[cell.name]) for cell in swept]
    _print(found, console)
    record = [asdict(one) | {"best": one.best} for one in found]
    write_text(out / f"{over}s.json", json.dumps(record, indent=1) + "\n")
    with atomic_write(out / f"{over}s.png") as path:
        _plot(found, path)
    return found


def _models(cells: Sequence[Cell], over: Over) -> list[Cell]:
    """Return every model of the cells that count, steered by itself, at the site of the suite.

    UserError where strengths are to be swept and no cell has a site.
    """
    found: dict[str, Cell] = {}
    for cell in cells:
        for side, family in enumerate(split_pair(cell.pair)):
            if cell.check or (over == "strength" and cell.sites is None):
                continue
            site = cell.sites and (cell.sites[side], cell.sites[side])
            one = replace(cell, pair=f"{family}->{family}", track="task", seed=0, sites=site)
            found.setdefault(one.name, one)
    if not found:
        raise UserError(f"Nothing is left to sweep over {over}: the cells that were named choose their own site.")
    return list(found.values())


def try_cell(cell: Cell, over: Over, settings: Settings) -> tuple[list[Point], SweepPoint]:
    """Run the native intervention of a cell's target on validation prompts; returns its points, and one of the runs."""
    context = context_of(settings)
    site = cell.sites and cell.sites[1]
    if over == "strength":
        tried = context.experiment(cell).sweep()
        return points_of(tried, site), tried
    if over == "site":
        by_site = _by_site(cell, context)
        return [point_of(tried, at) for at, tried in by_site.items()], by_site[0]
    by_position = _by_position(cell, context)
    points = [point_of(tried, site, position) for position, tried in by_position.items()]
    return points, next(iter(by_position.values()))


def _by_site(cell: Cell, context: RunContext) -> dict[int, SweepPoint]:
    sites = range(context.experiment(cell).target.n_blocks)
    return {site: context.experiment(replace(cell, sites=(site, site))).sweep() for site in sites}


def _by_position(cell: Cell, context: RunContext) -> dict[Position, SweepPoint]:
    positions = context.experiment(cell).positions
    if not positions:
        raise UserError(f"{cell.name} has no position that could be tried: no direction was found anywhere.")
    return {p: context.experiment(cell, None if p == OWN else p).sweep() for p in positions}


def _swept(cell: Cell, over: Over, points: Sequence[Point], one: SweepPoint) -> NativeSweep:
    return NativeSweep(
        cell.task, cell.variant, split_pair(cell.pair)[1], over, one.control, one.choose, one.own, tuple(points)
    )


def _print(sweeps: Sequence[NativeSweep], console: Console) -> None:
    for one in sweeps:
        table = Table(title=f"{one.task}: {one.variant}, {one.model} (validation prompts)", title_justify="left")
        for column in ("site", "position", "strength", "unsteered", "native", one.control.replace("_", " "), ""):
            table.add_column(column, justify="right")
        for p in one.points:
            figures = (f"{share:.2f}" for share in (p.unsteered, p.native, p.control))
            mark = _mark(one) if one.best is not None and one.at(p) == one.best else ""
            table.add_row(*(_word(word) for word in (p.site, p.position, p.strength)), *figures, mark)
        print_table(table, console)


def _word(at: At) -> str:
    return "-" if at is None else f"{at:g}" if isinstance(at, float) else str(at)


def _mark(one: NativeSweep) -> str:
    if one.over != "strength" and one.choose == "own":
        return "selected by the task"
    return f"the {one.choose} good enough" if one.over == "site" else "furthest ahead"


def _plot(sweeps: Sequence[NativeSweep], path: Path) -> None:
    with panels(len(sweeps), path) as panes:
        for one, axes in zip(sweeps, panes, strict=True):
            words = [_word(one.at(p)) for p in one.points]
            at = list(range(len(words)))
            axes.plot(at, [p.native for p in one.points], marker="o", label="native")
            axes.plot(at, [p.control for p in one.points], marker="s", linestyle="--", label=one.control)
            axes.plot(at, [p.unsteered for p in one.points], color="grey", linestyle=":", label="unsteered")
            if one.best is not None:
                axes.axvline(words.index(_word(one.best)), color="black", linewidth=0.5)
            axes.set(title=f"{one.task}: {one.variant}, {one.model}", xlabel=one.over)
            axes.set_xticks(at, words)
