"""`graftbench sweep --over site`: where a model can be steered natively, on validation prompts.

A site is good enough where native is ahead of its control by at least half of the most it is ahead anywhere. For
steering the one to use is the last of them before the drop, as in Oozeer et al. (2025, section 4.1 and table 22): on
the sweep that they print (table 3: ..., 92, 80, 34, 0 %) this is the site that they chose. Where activations are
replaced, what comes after the site is all that is left of the running model, so the first is taken.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
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
from .work import Settings, sweep_sites

KEEPS = 0.5


@dataclass(frozen=True)
class Point:
    """One site at its best strength, if it has strengths: success rates of native and, on average, of its control."""

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
    """All sites of one model in one variant, and the one to use."""

    task: str
    variant: str
    model: str
    control: str
    choose: Literal["last", "first"]
    points: tuple[Point, ...]

    @property
    def best(self) -> int | None:
        """The site to use; None where native is nowhere ahead."""
        most = max(point.ahead for point in self.points)
        good = [point.site for point in self.points if most > 0 and point.ahead >= KEEPS * most]
        if not good:
            return None
        return good[-1] if self.choose == "last" else good[0]


def point_of(site: int, tried: Tried) -> Point:
    """A site from its answers: at the strength where native is furthest ahead, the smaller on a tie."""
    strengths = list(dict.fromkeys(row["strength"] for row in tried.rows if row["condition"] == "native"))
    if not strengths:
        return Point(site, None, _rate(tried.rows, "unsteered", None), 0.0, 0.0)
    points = [
        Point(
            site,
            s,
            _rate(tried.rows, "unsteered", None),
            _rate(tried.rows, "native", s),
            _rate(tried.rows, tried.control, s),
        )
        for s in strengths
    ]
    return max(points, key=lambda point: point.ahead)


def _rate(rows: Sequence[Mapping[str, Any]], condition: str, strength: float | None) -> float:
    found = [row["success"] for row in rows if row["condition"] == condition and row["strength"] == strength]
    scored = [success for success in found if success is not None]
    return round(sum(scored) / len(scored), 4) if scored else 0.0


def sweep(
    suite: Suite, cells: Sequence[Cell], out: Path, console: Console, *, batch_size: int, device: str, workers: int
) -> list[Sweep]:
    """Sweep every model of the cells in every variant; print a table, and write it with a plot into `out`."""
    jobs = _jobs(suite, cells, batch_size, device)
    with shown([cell for _, cell in jobs.values()], console) as (hear, finished):
        on_gpu = device_of(device).type == "cuda"
        results = run_jobs([job for job, _ in jobs.values()], 1 if on_gpu else workers, 1, hear, finished)
    failed = {name: result for name, result in results.items() if isinstance(result, Failure)}
    if failed:
        name, failure = next(iter(failed.items()))
        raise UserError(f"The sweep failed at {name}: {failure.reason}.")
    found = [_swept(cell, results[name]) for name, (_, cell) in jobs.items()]
    _print(found, console)
    record = [asdict(one) | {"site": one.best} for one in found]
    write_text(out / "sites.json", json.dumps(record, indent=1) + "\n")
    with whole(out / "sites.png") as path:
        _plot(found, path)
    return found


def _swept(cell: Cell, by_site: Mapping[int, Tried]) -> Sweep:
    points = tuple(point_of(site, tried) for site, tried in by_site.items())
    one = next(iter(by_site.values()))
    return Sweep(cell.task, cell.variant, split_pair(cell.pair)[1], one.control, one.choose, points)


def _jobs(suite: Suite, cells: Sequence[Cell], batch_size: int, device: str) -> dict[str, tuple[Job, Cell]]:
    settings = Settings(suite.model_dump_json(), batch_size, str(device_of(device)), str(Store().root))
    found: dict[str, tuple[Job, Cell]] = {}
    for cell in cells:
        for family in split_pair(cell.pair):
            one = Cell(**(vars(cell) | {"pair": f"{family}->{family}", "track": "task", "seed": 0, "sites": (0, 0)}))
            if not cell.check and one.name not in found:
                found[one.name] = Job(one.name, _sweep, (one, settings)), one
    return found


def _sweep(cell: Cell, settings: Settings) -> dict[int, Tried]:
    return sweep_sites(cell, settings, tell)


def _print(sweeps: Sequence[Sweep], console: Console) -> None:
    for one in sweeps:
        table = Table(title=f"{one.variant}, {one.model} (validation prompts)", title_justify="left")
        for column in ("site", "strength", "unsteered", "native", one.control.replace("_", " "), ""):
            table.add_column(column, justify="right")
        for p in one.points:
            mark = f"the {one.choose} good enough" if p.site == one.best else ""
            figures = (f"{share:.2f}" for share in (p.unsteered, p.native, p.control))
            table.add_row(str(p.site), "-" if p.strength is None else f"{p.strength:g}", *figures, mark)
        console.print(table)


def _plot(sweeps: Sequence[Sweep], path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = 2
    n_rows = -(-len(sweeps) // columns)
    figure = Figure(figsize=(5 * columns, 3 * n_rows), layout="constrained")
    FigureCanvasAgg(figure)
    for i, one in enumerate(sweeps):
        axes = figure.add_subplot(n_rows, columns, i + 1)
        sites = [p.site for p in one.points]
        axes.plot(sites, [p.native for p in one.points], marker="o", label="native")
        axes.plot(sites, [p.control for p in one.points], marker="s", linestyle="--", label=one.control)
        axes.plot(sites, [p.unsteered for p in one.points], color="grey", linestyle=":", label="unsteered")
        if one.best is not None:
            axes.axvline(one.best, color="black", linewidth=0.5)
        axes.set(title=f"{one.variant}, {one.model}", xlabel="site", ylabel="success", ylim=(-0.03, 1.03), xticks=sites)
        axes.legend(fontsize="small")
    figure.savefig(path, format="png", dpi=120)
