"""`graftbench sweep --over site`: where a model can be steered natively, on validation prompts.

The site to use is the last one before the drop, as in Oozeer et al. (2025, section 4.1 and table 22): the last at
which native is ahead of random vectors by at least half of the most it is ahead anywhere. On the sweep that they
print (table 3: ..., 92, 80, 34, 0 %) this is the site that they chose.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

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
from .work import Settings, sweep_sites

KEEPS = 0.5


@dataclass(frozen=True)
class Point:
    """One site at its best strength: success rates of the native vector and, on average, of random ones."""

    site: int
    strength: float
    unsteered: float
    native: float
    random: float

    @property
    def ahead(self) -> float:
        """By how much native is ahead."""
        return round(self.native - self.random, 9)


@dataclass(frozen=True)
class Sweep:
    """All sites of one model in one variant, and the one to use."""

    task: str
    variant: str
    model: str
    points: tuple[Point, ...]

    @property
    def last(self) -> int | None:
        """The last steerable site before the drop; None where native is nowhere ahead."""
        most = max(point.ahead for point in self.points)
        good = [point.site for point in self.points if most > 0 and point.ahead >= KEEPS * most]
        return good[-1] if good else None


def point_of(site: int, rows: Sequence[Mapping[str, Any]]) -> Point:
    """A site from its answers: at the strength where native is furthest ahead, the smaller on a tie."""
    strengths = sorted({row["strength"] for row in rows if row["condition"] == "native"})
    points = [
        Point(site, s, _rate(rows, "unsteered", None), _rate(rows, "native", s), _rate(rows, "random", s))
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
    found = [
        Sweep(
            cell.task, cell.variant, split_pair(cell.pair)[1], tuple(point_of(s, r) for s, r in results[name].items())
        )
        for name, (_, cell) in jobs.items()
    ]
    _print(found, console)
    record = [asdict(one) | {"last_steerable_site": one.last} for one in found]
    write_text(out / "sites.json", json.dumps(record, indent=1) + "\n")
    with whole(out / "sites.png") as path:
        _plot(found, path)
    return found


def _swept(cell: Cell, by_site: Mapping[int, Sequence[Mapping[str, Any]]]) -> Sweep:
    points = tuple(point_of(site, rows) for site, rows in by_site.items())
    return Sweep(cell.task, cell.variant, split_pair(cell.pair)[1], points)


def _jobs(suite: Suite, cells: Sequence[Cell], batch_size: int, device: str) -> dict[str, tuple[Job, Cell]]:
    settings = Settings(suite.model_dump_json(), batch_size, str(device_of(device)), str(Store().root))
    found: dict[str, tuple[Job, Cell]] = {}
    for cell in cells:
        for family in split_pair(cell.pair):
            one = Cell(**(vars(cell) | {"pair": f"{family}->{family}", "track": "task", "seed": 0, "sites": (0, 0)}))
            if not cell.check and one.name not in found:
                found[one.name] = Job(one.name, _sweep, (one, settings)), one
    return found


def _sweep(cell: Cell, settings: Settings) -> dict[int, list[dict[str, Any]]]:
    return sweep_sites(cell, settings, tell)


def _print(sweeps: Sequence[Sweep], console: Console) -> None:
    for one in sweeps:
        table = Table(title=f"{one.variant}, {one.model} (validation prompts)", title_justify="left")
        for column in ("site", "strength", "unsteered", "native", "random", ""):
            table.add_column(column, justify="right")
        for p in one.points:
            mark = "last steerable" if p.site == one.last else ""
            figures = (f"{share:.2f}" for share in (p.unsteered, p.native, p.random))
            table.add_row(str(p.site), f"{p.strength:g}", *figures, mark)
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
        axes.plot(sites, [p.random for p in one.points], marker="s", linestyle="--", label="random, mean of draws")
        axes.plot(sites, [p.unsteered for p in one.points], color="grey", linestyle=":", label="unsteered")
        if one.last is not None:
            axes.axvline(one.last, color="black", linewidth=0.5)
        axes.set(title=f"{one.variant}, {one.model}", xlabel="site", ylabel="success", ylim=(-0.03, 1.03), xticks=sites)
        axes.legend(fontsize="small")
    figure.savefig(path, format="png", dpi=120)
