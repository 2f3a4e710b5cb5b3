"""`graftbench sweep --over site|strength|position`: how a model can be steered natively, on validation prompts.

Over sites and positions, each is seen at its best strength; over strengths and positions, a model is seen at the site
that the suite has for it.
A site is good enough where native is ahead of its control by at least half of the most it is ahead anywhere. For
steering the one to use is the last of them before the drop, as in Oozeer et al. (2025, section 4.1 and table 22): on
the sweep that they print (table 3: ..., 92, 80, 34, 0 %) this is the site that they chose. Where activations are
replaced, what comes after the site is all that is left of the running model, so the first is taken.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.files import whole, write_text
from graftbench.benchmark.core.names import split_pair
from graftbench.benchmark.core.store import Store
from graftbench.benchmark.experiments.protocol import SweepPoint
from graftbench.benchmark.models.load import device_of
from graftbench.benchmark.models.tokens import Position
from graftbench.benchmark.runs.cell import try_positions, try_site, try_sites
from graftbench.benchmark.runs.executors.local import run_jobs
from graftbench.benchmark.runs.executors.protocol import Job, stop_at_failure
from graftbench.benchmark.runs.executors.worker import tell
from graftbench.benchmark.runs.plan import Cell
from graftbench.benchmark.runs.progress import shown
from graftbench.benchmark.runs.request import Settings
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
        """By how much native is ahead."""
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
        """What a point differs in from the others."""
        return {"site": point.site, "strength": point.strength, "position": point.position}[self.over]


def points_of(tried: SweepPoint, site: int | None = None, position: Position = None) -> list[Point]:
    """What was tried at each strength; at none, and not ahead, where there is no native intervention."""
    unsteered = _rate(tried.rows, "unsteered", None)
    strengths = list(dict.fromkeys(row["strength"] for row in tried.rows if row["condition"] == "native"))
    if not strengths:
        return [Point(site, position, None, unsteered, 0.0, 0.0)]
    native, control = ({s: _rate(tried.rows, name, s) for s in strengths} for name in ("native", tried.control))
    return [Point(site, position, s, unsteered, native[s], control[s]) for s in strengths]


def point_of(tried: SweepPoint, site: int | None = None, position: Position = None) -> Point:
    """The strength where native is furthest ahead, the smaller on a tie."""
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
    batch_size: int,
    device: str,
    workers: int,
) -> list[NativeSweep]:
    """Sweep every model of the cells in every variant; print a table, and write it with a plot into `out`."""
    settings = Settings(suite.model_dump_json(), batch_size, str(device_of(device)), str(Store().root))
    swept = _models(cells, over)
    jobs = [Job(cell.name, _try, (cell, over, settings)) for cell in swept]
    with shown(swept, console) as (hear, finished):
        on_gpu = device_of(device).type == "cuda"
        results = run_jobs(jobs, 1 if on_gpu else workers, 1, hear, finished)
    stop_at_failure("The sweep", results)
    found = [_swept(cell, over, *results[cell.name]) for cell in swept]
    _print(found, console)
    record = [asdict(one) | {"best": one.best} for one in found]
    write_text(out / f"{over}s.json", json.dumps(record, indent=1) + "\n")
    with whole(out / f"{over}s.png") as path:
        _plot(found, path)
    return found


def _models(cells: Sequence[Cell], over: Over) -> list[Cell]:
    """Every model of the cells that count, steered by itself, at the site that the suite has for it.

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


def _try(cell: Cell, over: Over, settings: Settings) -> tuple[list[Point], SweepPoint]:
    """The points of a sweep, and one of the things that were tried."""
    if over == "strength":
        tried = try_site(cell, settings, tell)
        return points_of(tried, cell.sites and cell.sites[1]), tried
    if over == "site":
        by_site = try_sites(cell, settings, tell)
        return [point_of(tried, site) for site, tried in by_site.items()], by_site[0]
    by_position = try_positions(cell, settings, tell)
    site = cell.sites and cell.sites[1]
    return [point_of(t, site, p) for p, t in by_position.items()], next(iter(by_position.values()))


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
        console.print(table)


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
