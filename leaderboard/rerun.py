"""Some cells of an entry run again, to see whether what it says comes out."""

import random
from pathlib import Path

from rich.console import Console

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.plugins import comes_with, names
from graftbench.benchmark.mappers.loading import MapperInfo, MapperSpec, find
from graftbench.benchmark.results.schema import CellResult, Entry
from graftbench.benchmark.runs.request import Request
from graftbench.benchmark.runs.run import run
from graftbench.benchmark.runs.suite import Suite, ships
from graftbench.leaderboard.rerun_diff import RerunDiff, compared

MOST_ROWS = 2**20  # at a time


def run_again(
    entry: Entry, suite: Suite, kept: Path, n: int, *, trust: bool, out: Path, console: Console, seed: int | None = None
) -> list[RerunDiff]:
    """Run a random sample of an entry's cells again, with nothing kept from before.

    `kept` is where the source of a submitted mapper lies. UserError where the mapper is not here, is another one, where
    it or the suite is somebody's that nobody said to trust, or where no cell is there to be run.
    """
    spec = MapperSpec(_source(entry, kept, trust), tuple(sorted(entry.mapper.options.items())))
    if not trust and not ships(suite):  # a judge's server is sent the key of whoever runs it
        raise UserError(f"The suite {suite.name} does not come with graftbench: --trust-code runs it, servers and all.")
    found = _found(spec, entry)
    there = {cell_name(cell): cell for cell in entry.cells if cell.status == "ok"}
    chosen = random.Random(seed).sample(sorted(there), min(n, len(there)))
    if not chosen:
        raise UserError(f"No cell of the entry of {entry.mapper.name} came out, so that there is none to run again.")
    request = Request(
        suite=suite,
        mapper=spec,
        only=tuple(chosen),
        batch_size=_batch_size(entry),
        device=_device(entry),
        out=out / "run",
        cache=out / "cache",
    )
    if not request.cells(found):
        raise UserError(f"None of these cells is planned for {entry.mapper.name}: {', '.join(chosen)}.")
    again = {cell_name(cell): cell for cell in run(request, console).entry.cells}
    return [compared(name, there[name], again.get(name)) for name in chosen]


def _found(spec: MapperSpec, entry: Entry) -> MapperInfo:
    found = find(spec)
    told = (entry.mapper.name, entry.mapper.sha256, entry.mapper.deterministic, entry.mapper.vector_rule)
    if told != (found.name, found.sha256, found.deterministic, found.vector_rule):
        raise UserError(f"The mapper {spec.source} that is here is not the one of the entry: score it again.")
    return found


def _batch_size(entry: Entry) -> int:
    told = entry.environment.get("batch_size", "")
    if not told.isdecimal() or not 1 <= int(told) <= MOST_ROWS:
        raise UserError(
            f"The entry of {entry.mapper.name} does not say how many rows it ran at a time, from 1 to {MOST_ROWS}."
        )
    return int(told)


def _device(entry: Entry) -> str:
    """The kind of device that it ran on: on another, other bits come out."""
    kind = entry.environment.get("device", "").partition(":")[0]
    if kind not in ("cpu", "cuda"):
        raise UserError(f"The entry of {entry.mapper.name} does not say on which device it ran, cpu or cuda.")
    return kind


def cell_name(cell: CellResult) -> str:
    """How a plan calls the cell."""
    seed = f" seed {cell.seed}" if cell.seed else ""
    return f"{cell.task} {cell.variant} {cell.pair} {cell.track}{seed}"


def _source(entry: Entry, kept: Path, trust: bool) -> str:
    source = entry.mapper.source
    if not entry.mapper.files:
        if source not in names("mappers"):
            raise UserError(f"The mapper {source} is not installed here, so it cannot be run again.")
        if not comes_with("mappers", source) and not trust:
            raise UserError(f"The mapper {source} comes from elsewhere: --trust-code runs it again.")
        return source
    if not trust:
        raise UserError(f"The source of {entry.mapper.name} in {kept} is somebody's: --trust-code runs it again.")
    path, _, name = source.rpartition(":")
    return f"{kept / Path(path).name}:{name}"
