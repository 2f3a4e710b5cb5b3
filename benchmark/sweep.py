"""`graftbench sweep --over site|strength`: how a model can be steered natively, on validation prompts.

Over sites, each is seen at its best strength; over strengths, a model is seen at the site that the suite has for it.
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

from .errors import UserError
from .files import whole, write_text
from .models import device_of
from .plan import Cell
from .pool import Failure, Job, run_jobs, tell
from .progress import shown
from .store import Store
from .suite import Suite, split_pair
from .task import Tried
from .work import Settings, try_sites

KEEPS = 0.5


Over = Literal["site", "strength"]


@dataclass(frozen=True)
class Point:
    """Success rates at one site and strength: of native and, on average, of its control."""

    site: int
    strength: float | None
    unsteered: float
    native: float
    control: float

    @property
    def ahead(self) -> float:
        """By how much native is ahead."""
        return round(self.native - self.control, 9)


@dataclass(frozen=True)
class Sweep:
    """One model in one variant, at all sites or at all strengths."""

    task: str
    variant: str
    model: str
    over: Over
    control: str
    choose: Literal["last", "first", "own"]
    own: int | None
    points: tuple[Point, ...]

    @property
    def best(self) -> int | float | None:
        """The site to use, or the strength at which native is furthest ahead; None where it is nowhere ahead."""
        if self.over == "site" and self.choose == "own":
            return self.own
        leading = max(self.points, key=lambda point: point.ahead)
        if leading.ahead <= 0:
            return None
        if self.over == "strength":
            return leading.strength
        good = [point.site for point in self.points if point.ahead >= KEEPS * leading.ahead]
        return good[-1] if self.choose == "last" else good[0]


def points_of(site: int, tried: Tried) -> list[Point]:
    """A site at each strength; at none, and not ahead, where it has no native intervention."""
    unsteered = _rate(tried.rows, "unsteered", None)
    strengths = list(dict.fromkeys(row["strength"] for row in tried.rows if row["condition"] == "native"))
    if not strengths:
        return [Point(site, None, unsteered, 0.0, 0.0)]
    native, control = ({s: _rate(tried.rows, name, s) for s in strengths} for name in ("native", tried.control))
    return [Point(site, s, unsteered, native[s], control[s]) for s in strengths]


def point_of(site: int, tried: Tried) -> Point:
    """A site at the strength where native is furthest ahead, the smaller on a tie."""
    return max(points_of(site, tried), key=lambda point: point.ahead)


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
) -> list[Sweep]:
    """Sweep every model of the cells in every variant; print a table, and write it with a plot into `out`."""
    settings = Settings(suite.model_dump_json(), batch_size, str(device_of(device)), str(Store().root))
    swept = _models(cells, over)
    jobs = [Job(cell.name, _try, (cell, over, settings)) for cell in swept]
    with shown(swept, console) as (hear, finished):
        on_gpu = device_of(device).type == "cuda"
        results = run_jobs(jobs, 1 if on_gpu else workers, 1, hear, finished)
    failed = {name: result for name, result in results.items() if isinstance(result, Failure)}
    if failed:
        name, failure = next(iter(failed.items()))
        raise UserError(f"The sweep failed at {name}: {failure.reason}.")
    found = [_swept(cell, over, results[cell.name]) for cell in swept]
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
            site = cell.sites[side] if cell.sites else 0
            one = replace(cell, pair=f"{family}->{family}", track="task", seed=0, sites=(site, site))
            found.setdefault(one.name, one)
    if not found:
        raise UserError(f"Nothing is left to sweep over {over}: the cells that were named choose their own site.")
    return list(found.values())


def _try(cell: Cell, over: Over, settings: Settings) -> dict[int, Tried]:
    return try_sites(cell, settings, tell, everywhere=over == "site")


def _swept(cell: Cell, over: Over, by_site: Mapping[int, Tried]) -> Sweep:
    points = (
        [point_of(site, tried) for site, tried in by_site.items()]
        if over == "site"
        else [point for site, tried in by_site.items() for point in points_of(site, tried)]
    )
    one = next(iter(by_site.values()))
    return Sweep(
        cell.task, cell.variant, split_pair(cell.pair)[1], over, one.control, one.choose, one.own, tuple(points)
    )


def _print(sweeps: Sequence[Sweep], console: Console) -> None:
    for one in sweeps:
        table = Table(title=f"{one.task}: {one.variant}, {one.model} (validation prompts)", title_justify="left")
        for column in ("site", "strength", "unsteered", "native", one.control.replace("_", " "), ""):
            table.add_column(column, justify="right")
        for p in one.points:
            figures = (f"{share:.2f}" for share in (p.unsteered, p.native, p.control))
            mark = _mark(one) if one.best is not None and _at(p, one.over) == one.best else ""
            table.add_row(str(p.site), "-" if p.strength is None else f"{p.strength:g}", *figures, mark)
        console.print(table)


def _mark(one: Sweep) -> str:
    if one.over == "strength":
        return "furthest ahead"
    return "selected by the task" if one.choose == "own" else f"the {one.choose} good enough"


def _at(point: Point, over: Over) -> float | None:
    return point.site if over == "site" else point.strength


def _plot(sweeps: Sequence[Sweep], path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = 2
    n_rows = -(-len(sweeps) // columns)
    figure = Figure(figsize=(5 * columns, 3 * n_rows), layout="constrained")
    FigureCanvasAgg(figure)
    for i, one in enumerate(sweeps):
        axes = figure.add_subplot(n_rows, columns, i + 1)
        at = [_at(p, one.over) or 0 for p in one.points]
        axes.plot(at, [p.native for p in one.points], marker="o", label="native")
        axes.plot(at, [p.control for p in one.points], marker="s", linestyle="--", label=one.control)
        axes.plot(at, [p.unsteered for p in one.points], color="grey", linestyle=":", label="unsteered")
        if one.best is not None:
            axes.axvline(one.best, color="black", linewidth=0.5)
        axes.set(
            title=f"{one.task}: {one.variant}, {one.model}",
            xlabel=one.over,
            ylabel="success",
            ylim=(-0.03, 1.03),
            xticks=at,
        )
        axes.legend(fontsize="small")
    figure.savefig(path, format="png", dpi=120)
