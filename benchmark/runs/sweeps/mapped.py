"""`graftbench sweep --over fit-size|seed`: how what a mapper carries across hangs on its fit, on test prompts.

Nothing is chosen here: over fit sizes the mapper is fitted on ever more of the texts that the suite gives it, over
seeds on all of them again and again.
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
from graftbench.benchmark.core.store import Store
from graftbench.benchmark.mappers.loading import MapperInfo, MapperSpec, find
from graftbench.benchmark.models.load import device_of
from graftbench.benchmark.results.schema import CellResult, Rate, Transfer
from graftbench.benchmark.runs.cell import CellOutcome, prepare, score
from graftbench.benchmark.runs.entry import cell_result
from graftbench.benchmark.runs.executors.local import run_jobs
from graftbench.benchmark.runs.executors.protocol import Job, stop_at_failure
from graftbench.benchmark.runs.executors.worker import tell
from graftbench.benchmark.runs.plan import Cell
from graftbench.benchmark.runs.progress import shown
from graftbench.benchmark.runs.request import Settings
from graftbench.benchmark.runs.suite import Suite
from graftbench.benchmark.runs.sweeps.plots import panels

Over = Literal["fit-size", "seed"]

SHARES = (0.05, 0.1, 0.2, 0.5, 1.0)  # of the texts
SEEDS = 5

Interval = tuple[float, float, float]  # value, low, high


@dataclass(frozen=True)
class Refit:
    """One fit: the share of the texts and the seed, and what came of it."""

    share: float
    seed: int
    pairs: int | None
    fvu: float | None
    unsteered: Interval | None
    baseline: Interval | None
    mapped: Interval | None
    native: Interval | None
    transfer: Interval | None
    reason: str | None

    def at(self, over: Over) -> str:
        """What it differs in from the others."""
        return f"{self.share:g}" if over == "fit-size" else str(self.seed)


@dataclass(frozen=True)
class MappedSweep:
    """A cell of the suite, fitted anew."""

    task: str
    variant: str
    pair: str
    track: str
    mapper: str
    over: Over
    fits: tuple[Refit, ...]


def refit(
    suite: Suite,
    cells: Sequence[Cell],
    spec: MapperSpec,
    over: Over,
    out: Path,
    console: Console,
    *,
    batch_size: int,
    device: str,
    workers: int,
) -> list[MappedSweep]:
    """Fit the mapper anew for every cell that counts; print a table, and write it with a plot into `out`."""
    found = find(spec)
    if over == "seed" and found.deterministic:
        raise UserError(f"{found.name} is deterministic: every seed gives the same fit.")
    suite = suite.model_copy(update={"side_effects": None})  # what it costs is no part of what is varied
    settings = Settings(suite.model_dump_json(), batch_size, str(device_of(device)), str(Store().root))
    asked = list({replace(cell, seed=0).name: replace(cell, seed=0) for cell in cells if not cell.check}.values())
    if not asked:
        raise UserError("Nothing is left to sweep: the cells that were named are checks.")
    jobs = _jobs(asked, over, settings, spec, found, out)
    with shown([job for job in jobs if job.after], console) as (hear, finished):
        on_gpu = device_of(device).type == "cuda"
        results = run_jobs(jobs, 1 if on_gpu else workers, 4 if on_gpu else 1, hear, finished)
    stop_at_failure("The sweep", results)
    swept = [_refits(cell, found, over, results) for cell in asked]
    _print(swept, console)
    write_text(out / f"{over}s.json", json.dumps([asdict(one) for one in swept], indent=1) + "\n")
    with whole(out / f"{over}s.png") as path:
        _plot(swept, path)
    return swept


def _variations(over: Over) -> list[tuple[float, int]]:
    """The share of the texts and the seed of each fit."""
    return [(share, 0) for share in SHARES] if over == "fit-size" else [(1.0, seed) for seed in range(SEEDS)]


def _jobs(
    cells: Sequence[Cell], over: Over, settings: Settings, spec: MapperSpec, found: MapperInfo, out: Path
) -> list[Job]:
    jobs: dict[str, Job] = {}
    for cell in cells:
        jobs.setdefault(cell.ground, Job(cell.ground, _prepare, (cell, settings)))
        for share, seed in _variations(over):
            name, fitted = _name(cell, share, seed), replace(cell, seed=seed)
            folder = str(out / f"share-{share:g}")
            work = (name, fitted, settings, spec, found.sha256, folder, share)
            jobs[name] = Job(name, _score, work, after=(cell.ground,))
    return list(jobs.values())


def _name(cell: Cell, share: float, seed: int) -> str:
    return f"{cell.name}, seed {seed}, {share:g} of the texts"


def _prepare(cell: Cell, settings: Settings) -> None:
    prepare(cell, settings, tell)


def _score(
    name: str, cell: Cell, settings: Settings, spec: MapperSpec, sha256: str, folder: str, share: float
) -> CellOutcome:
    def told(_: str, what: str, done: int, of: int) -> None:
        tell(name, what, done, of)

    return score(cell, settings, spec, sha256, folder, told, share)


def _refits(cell: Cell, found: MapperInfo, over: Over, results: Mapping[str, Any]) -> MappedSweep:
    fits = tuple(
        _fit(share, seed, cell_result(replace(cell, seed=seed), results[_name(cell, share, seed)]))
        for share, seed in _variations(over)
    )
    return MappedSweep(cell.task, cell.variant, cell.pair, cell.track, found.name, over, fits)


def _fit(share: float, seed: int, cell: CellResult) -> Refit:
    assert cell.transfer is not None
    rates = {name: _interval(cell.rates.get(name)) for name in ("unsteered", "mapped", "native")}
    return Refit(
        share,
        seed,
        cell.cost.pairs if cell.cost else None,
        cell.fidelity.get("fvu"),
        **rates,
        baseline=_interval(cell.rates.get(cell.transfer.baseline)),
        transfer=_interval(cell.transfer),
        reason=cell.transfer.reason,
    )


def _interval(found: Rate | Transfer | None) -> Interval | None:
    if found is None or found.value is None:
        return None
    assert found.low is not None
    assert found.high is not None
    return found.value, found.low, found.high


def _print(swept: Sequence[MappedSweep], console: Console) -> None:
    for one in swept:
        title = f"{one.mapper}, {one.task}: {one.variant}, {one.pair}, fit: {one.track}"
        table = Table(title=title, title_justify="left")
        for column in (one.over.replace("-", " "), "pairs", "fvu", "baseline", "mapped", "native", "transfer"):
            table.add_column(column, justify="right")
        for fit in one.fits:
            fvu = "-" if fit.fvu is None else f"{fit.fvu:.3f}"
            rates = (_words(rate) for rate in (fit.baseline, fit.mapped, fit.native))
            transfer = _words(fit.transfer) if fit.transfer else (fit.reason or "-").replace("_", " ")
            table.add_row(fit.at(one.over), str(fit.pairs or "-"), fvu, *rates, transfer)
        console.print(table)


def _words(found: Interval | None) -> str:
    return "-" if found is None else f"{found[0]:.2f} ({found[1]:.2f} to {found[2]:.2f})"


def _plot(swept: Sequence[MappedSweep], path: Path) -> None:
    with panels(len(swept), path) as axes:
        for one, each in zip(swept, axes, strict=True):
            at = list(range(len(one.fits)))
            for name, style in (("native", "--"), ("mapped", "-"), ("baseline", ":"), ("unsteered", "-.")):
                rates = [_rate(fit, name) for fit in one.fits]
                each.plot(at, [rate[0] for rate in rates], marker="o", linestyle=style, label=name)
                each.fill_between(at, [rate[1] for rate in rates], [rate[2] for rate in rates], alpha=0.15)
            each.set(title=f"{one.task}: {one.variant}\n{one.pair}, fit: {one.track}", xlabel=one.over)
            each.set_xticks(at, [fit.at(one.over) for fit in one.fits])


def _rate(fit: Refit, name: str) -> Interval:
    rates = {"native": fit.native, "mapped": fit.mapped, "baseline": fit.baseline, "unsteered": fit.unsteered}
    return rates[name] or (float("nan"),) * 3
