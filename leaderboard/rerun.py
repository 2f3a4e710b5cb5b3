"""Rerun of some cells of an entry, and how they compare with it."""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.names import cell_name
from graftbench.benchmark.core.plugins import is_builtin, plugin_names
from graftbench.benchmark.mappers.info import MapperInfo, describe
from graftbench.benchmark.results.entry_files import read_entry
from graftbench.benchmark.results.schema import CellResult, Entry
from graftbench.benchmark.runs.context import BatchSize
from graftbench.benchmark.runs.request import Request
from graftbench.benchmark.runs.run import run
from graftbench.benchmark.runs.suite import Suite, ships
from graftbench.leaderboard.entries import refuse
from graftbench.leaderboard.mapper_files import stored_mapper_mismatches
from graftbench.leaderboard.rerun_diff import RerunDiff, compare_cells
from graftbench.leaderboard.verify import mapper_folder, suite_of

MAX_BATCH_SIZE = 2**20


def rerun_entry(path: Path, folder: Path, n: int, *, trust: bool, out: Path, console: Console) -> list[RerunDiff]:
    """Rerun n cells of the entry in a file, with the suite and the mapper stored with it.

    UserError where the stored mapper is not that of the entry: nothing of it is run then.
    """
    entry, source, suite = stored_parts(path, folder)
    return rerun_cells(entry, suite, source, n, trust=trust, out=out, console=console)


def stored_parts(path: Path, folder: Path) -> tuple[Entry, Path, Suite]:
    """Return an entry, the folder of its mapper's source, and its suite; UserError where the mapper is another."""
    entry, source = read_entry(path), mapper_folder(path, folder)
    if entry.mapper.files:
        refuse(f"{path} cannot be run again", stored_mapper_mismatches(entry, source))
    return entry, source, suite_of(entry, path, folder)


def rerun_cells(
    entry: Entry,
    suite: Suite,
    source: Path,
    n: int,
    *,
    trust: bool,
    out: Path,
    console: Console,
    seed: int | None = None,
) -> list[RerunDiff]:
    """Rerun a random sample of n cells of an entry, with an empty cache, and compare each with the entry.

    Checks, which enter no score, are drawn only where there are fewer other cells.
    `source` is the folder with the source of a submitted mapper. UserError where the mapper is not installed or is
    another, where it or the suite is a stranger's and `trust` is not given, or where there is no cell to run.
    """
    info = trusted_mapper(entry, suite, source, trust=trust)
    stored = {name_of(cell): cell for cell in entry.cells if cell.status == "ok"}
    names = _drawn(stored, n, random.Random(seed))
    if not names:
        raise UserError(f"No cell of the entry of {entry.mapper.name} succeeded, so there is none to run again.")
    rerun = run_again(entry, suite, info, names, out, console)
    return [compare_cells(name, stored[name], rerun.get(name)) for name in names]


def _drawn(cells: Mapping[str, CellResult], n: int, draws: random.Random) -> list[str]:
    """Return the names of n random cells, or of all; those that count come first."""
    names = draws.sample(sorted(cells), len(cells))
    return sorted(names, key=lambda name: cells[name].check)[:n]


def trusted_mapper(entry: Entry, suite: Suite, source: Path, *, trust: bool) -> MapperInfo:
    """Return the mapper of an entry.

    UserError where it is not installed or is another, or where it or the suite is a stranger's and `trust` is not
    given.
    """
    info = describe(_source(entry, source, trust), entry.mapper.options)
    if not trust and not ships(suite):  # a judge's server is sent the key of whoever runs it
        raise UserError(f"The suite {suite.name} does not come with graftbench: --trust-code runs it, servers and all.")
    _check_identity(info, entry)
    return info


def run_again(
    entry: Entry, suite: Suite, info: MapperInfo, names: Sequence[str], out: Path, console: Console
) -> dict[str, CellResult]:
    """Run cells of a suite as an entry was run, with a cache of their own in the folder `out`; return them by name."""
    request = Request(
        suite=suite,
        mapper=info,
        only=tuple(names),
        batch_size=_batch_size(entry),
        device=_device(entry),
        out=out / "run",
        cache=out / "cache",
    )
    if not request.cells():
        raise UserError(f"None of these cells is planned for {entry.mapper.name}: {', '.join(names)}.")
    return {name_of(cell): cell for cell in run(request, console).entry.cells}


def name_of(cell: CellResult) -> str:
    """Return the name of a cell as a plan has it."""
    return cell_name(cell.task, cell.variant, cell.pair, cell.track, cell.seed or None)


def _check_identity(info: MapperInfo, entry: Entry) -> None:
    """Raise UserError where the mapper that is here is not the one of the entry."""
    claimed = (entry.mapper.name, entry.mapper.sha256, entry.mapper.deterministic, entry.mapper.vector_rule)
    if claimed != (info.name, info.sha256, info.deterministic, info.vector_rule):
        raise UserError(f"The mapper {info.source} that is here is not the one of the entry: score it again.")


def _batch_size(entry: Entry) -> BatchSize:
    text = entry.environment.get("batch_size", "")
    if text == "auto":
        return "auto"
    if not text.isdecimal() or not 1 <= int(text) <= MAX_BATCH_SIZE:
        raise UserError(
            f"The entry of {entry.mapper.name} does not say how many rows it ran at a time, from 1 to {MAX_BATCH_SIZE}."
        )
    return int(text)


def _device(entry: Entry) -> str:
    """Return the kind of device that the entry was run on, for bits differ between kinds."""
    kind = entry.environment.get("device", "").partition(":")[0]
    if kind not in ("cpu", "cuda"):
        raise UserError(f"The entry of {entry.mapper.name} does not say on which device it ran, cpu or cuda.")
    return kind


def _source(entry: Entry, folder: Path, trust: bool) -> str:
    """Return the mapper as `graftbench score` would name it; UserError where it may not be run."""
    source = entry.mapper.source
    if entry.mapper.files:
        if not trust:
            raise UserError(f"The source of {entry.mapper.name} in {folder} is a submission: --trust-code runs it.")
        path, _, name = source.rpartition(":")
        return f"{folder / Path(path).name}:{name}"
    if source not in plugin_names("mappers"):
        raise UserError(f"The mapper {source} is not installed here, so it cannot be run again.")
    if not is_builtin("mappers", source) and not trust:
        raise UserError(f"The mapper {source} comes from elsewhere: --trust-code runs it again.")
    return source
