"""Sweeps over fit size or seed: how transfer depends on the amount of fit text, or on the seed (test prompts).

Nothing is chosen here: over fit sizes the mapper is fitted on ever more of the texts that the suite gives it, over
seeds on all of them with one seed after the other.
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
from graftbench.benchmark.core.store import Store
from graftbench.benchmark.core.tables import print_table
from graftbench.benchmark.mappers.hosts import isolation_of
from graftbench.benchmark.mappers.info import MapperInfo
from graftbench.benchmark.results.schema import CellResult, Rate, Transfer
from graftbench.benchmark.runs.cell import run_reference, score_cell
from graftbench.benchmark.runs.context import BatchSize, Settings, context_of
from graftbench.benchmark.runs.entry import cell_result
from graftbench.benchmark.runs.executors.choose import Where
from graftbench.benchmark.runs.executors.protocol import Job, Needs, stop_at_failure
from graftbench.benchmark.runs.job_functions import with_files
from graftbench.benchmark.runs.outlook import needs_of
from graftbench.benchmark.runs.plan import Cell
from graftbench.benchmark.runs.progress import Bars
from graftbench.benchmark.runs.suite import Suite
from graftbench.benchmark.runs.sweeps.plots import panels

Over = Literal["fit-size", "seed"]

SHARES = (0.05, 0.1, 0.2, 0.5, 1.0)  # of the texts
SEEDS = 5

Interval = tuple[float, float, float]  # value, low, high
Estimate = tuple[float, float | None, float | None]  # without limits where native's gain may be nothing
CAPTION = "95 % confidence intervals; a baseline of random vectors has the prediction interval of a single one"


@dataclass(frozen=True)
class Refit:
    """One fit: the share of the texts, the seed, and the rates that came of it."""

    share: float
    seed: int
    pairs: int | None
    fvu: float | None
    unsteered: Interval | None
    baseline: Interval | None
    mapped: Interval | None
    native: Interval | None
    transfer: Estimate | None
    reason: str | None

    def at(self, over: Over) -> str:
        """Return the value that is swept over, as text."""
        return f"{self.share:g}" if over == "fit-size" else str(self.seed)


@dataclass(frozen=True)
class MappedSweep:
    """A cell of the suite with several fits."""

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
    info: MapperInfo,
    over: Over,
    out: Path,
    console: Console,
    *,
    batch_size: BatchSize,
    device: str,
    where: Where,
) -> list[MappedSweep]:
    """Fit the mapper anew for every cell that counts; print a table, and write it with a plot into `out`."""
    if over == "seed" and info.deterministic:
        raise UserError(f"{info.name} is deterministic: every seed gives the same fit.")
    suite = suite.model_copy(update={"side_effects": None})  # they do not vary with the fit alone
    settings = Settings(
        suite.model_dump_json(),
        batch_size,
        where.device(device),
        Store().place,
        workers=where.on_one_machine,
        isolation=isolation_of(info),
    )
    firsts = list({replace(cell, seed=0).name: replace(cell, seed=0) for cell in cells if not cell.check}.values())
    if not firsts:
        raise UserError("Nothing is left to sweep: the cells that were named are checks.")
    jobs = _jobs(firsts, over, settings, info, out, needs_of(suite, firsts, settings))
    with Bars([job for job in jobs if job.after], jobs, console) as bars:
        results = where.executor_for(settings).run(jobs, bars)
    stop_at_failure("The sweep", results)
    sweeps = [_sweep(cell, info, over, results) for cell in firsts]
    _print(sweeps, console)
    write_text(out / f"{over}s.json", json.dumps([asdict(one) for one in sweeps], indent=1) + "\n")
    with atomic_write(out / f"{over}s.png") as path:
        _plot(sweeps, path)
    return sweeps


def _variations(over: Over) -> list[tuple[float, int]]:
    """Return the share of the texts and the seed of each fit."""
    return [(share, 0) for share in SHARES] if over == "fit-size" else [(1.0, seed) for seed in range(SEEDS)]


def _jobs(
    cells: Sequence[Cell], over: Over, settings: Settings, info: MapperInfo, out: Path, needs: Mapping[str, Needs]
) -> list[Job]:
    jobs: dict[str, Job] = {}
    for cell in cells:
        takes = needs[cell.reference]
        jobs.setdefault(cell.reference, Job(cell.reference, reference, (cell, settings), needs=takes))
        for share, seed in _variations(over):
            name, folder = _name(cell, share, seed), out / f"share-{share:g}"
            work = (replace(cell, seed=seed), settings, info, share)
            jobs[name] = Job(name, refit_cell, work, (cell.reference,), None, info.files, (folder,), takes)
    return list(jobs.values())


def _name(cell: Cell, share: float, seed: int) -> str:
    return f"{cell.name}, seed {seed}, {share:g} of the texts"


def reference(cell: Cell, settings: Settings) -> None:
    """Run and cache what does not depend on the mapper."""
    run_reference(cell, context_of(settings))


def refit_cell(cell: Cell, settings: Settings, info: MapperInfo, share: float, *paths: Path) -> Refit:
    """Fit a mapper on a share of a cell's texts, and score it; `paths` are its files, and the folder of fits."""
    *files, folder = paths
    outcome = score_cell(cell, context_of(settings), with_files(info, files), folder, share)
    return _refit(share, cell.seed, cell_result(cell, outcome))


def _sweep(cell: Cell, info: MapperInfo, over: Over, results: Mapping[str, Any]) -> MappedSweep:
    fits = tuple(results[_name(cell, share, seed)] for share, seed in _variations(over))
    return MappedSweep(cell.task, cell.variant, cell.pair, cell.track, info.name, over, fits)


def _refit(share: float, seed: int, cell: CellResult) -> Refit:
    assert cell.transfer is not None
    rates = {name: _interval(cell.rates.get(name)) for name in ("unsteered", "mapped", "native")}
    return Refit(
        share,
        seed,
        cell.cost.pairs if cell.cost else None,
        cell.fidelity.get("fvu"),
        **rates,
        baseline=_interval(cell.rates.get(cell.transfer.baseline)),
        transfer=_confidence(cell.transfer),
        reason=cell.transfer.reason,
    )


def _confidence(found: Transfer) -> Estimate | None:
    if found.value is None:
        return None
    low, high = found.confidence or (None, None)
    return found.value, low, high


def _interval(found: Rate | None) -> Interval | None:
    if found is None or found.value is None:
        return None
    assert found.low is not None
    assert found.high is not None
    return found.value, found.low, found.high


def _print(sweeps: Sequence[MappedSweep], console: Console) -> None:
    for one in sweeps:
        title = f"{one.mapper}, {one.task}: {one.variant}, {one.pair}, fit: {one.track}"
        table = Table(title=title, title_justify="left", caption=CAPTION, caption_justify="left")
        for column in (one.over.replace("-", " "), "pairs", "fvu", "baseline", "mapped", "native", "transfer"):
            table.add_column(column, justify="right")
        for fit in one.fits:
            fvu = "-" if fit.fvu is None else f"{fit.fvu:.3f}"
            rates = (_words(rate) for rate in (fit.baseline, fit.mapped, fit.native))
            transfer = _words(fit.transfer) if fit.transfer else (fit.reason or "-").replace("_", " ")
            table.add_row(fit.at(one.over), str(fit.pairs or "-"), fvu, *rates, transfer)
        print_table(table, console)


def _words(found: Estimate | None) -> str:
    if found is None:
        return "-"
    value, low, high = found
    return f"{value:.2f} (no limits)" if low is None else f"{value:.2f} ({low:.2f} to {high:.2f})"


def _plot(sweeps: Sequence[MappedSweep], path: Path) -> None:
    with panels(len(sweeps), path) as axes:
        for one, each in zip(sweeps, axes, strict=True):
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
