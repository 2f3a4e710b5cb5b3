"""Whole runs: a mapper scored on a suite, and checked against the protocol."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console

from graftbench.api.run_html import html_of
from graftbench.api.sources import source_of
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.files import is_file
from graftbench.benchmark.core.plugins import nearest
from graftbench.benchmark.mappers.checking import check_mapper
from graftbench.benchmark.mappers.hosts import isolation_of
from graftbench.benchmark.mappers.info import describe
from graftbench.benchmark.mappers.options import Value
from graftbench.benchmark.results.entry_files import read_entry
from graftbench.benchmark.results.schema import CellResult, Entry
from graftbench.benchmark.results.scores import FITTED_TRACK
from graftbench.benchmark.runs.context import BatchSize
from graftbench.benchmark.runs.executors.choose import Where
from graftbench.benchmark.runs.executors.protocol import ExecutorName
from graftbench.benchmark.runs.folder import ENTRY, LEADERBOARD, ROWS, entry_in
from graftbench.benchmark.runs.request import Request
from graftbench.benchmark.runs.run import run
from graftbench.benchmark.runs.suite import Suite, read_suite
from graftbench.leaderboard.own_runs import ranking_of_runs, write_leaderboard
from graftbench.leaderboard.scored import FITTED


@dataclass(frozen=True, eq=False)
class Run:
    """A finished run. In a notebook it shows the table of its cells and its scores.

    >>> import graftbench as gb
    >>> run = gb.Run.open("runs/few-ridge")
    >>> run
    Run(ridge on few, in runs/few-ridge)

    Attributes:
        folder: The run's folder, as `graftbench show` and `graftbench submit` take it.
        entry: Everything that was measured, as in `entry.json`.

    """

    folder: Path
    entry: Entry

    @classmethod
    def open(cls, folder: str | Path) -> "Run":
        """Read the run in a folder; UserError where there is none."""
        folder = Path(folder)
        if is_file(folder):
            such = f" such as {folder.parent}," if folder.name == ENTRY else ""
            raise UserError(f"{folder} is a file: `Run.open` takes the folder of a run,{such} and `read_entry` a file.")
        return cls(folder, read_entry(entry_in(folder)))

    @property
    def failed(self) -> list[CellResult]:
        """The cells that failed."""
        return [cell for cell in self.entry.cells if cell.status != "ok"]

    @cached_property
    def scores(self) -> dict[str, dict[str, Any]]:
        """Both numbers, `carried` and `fitted`: score, interval, what random vectors would score, and the parts.

        `carried` needs the entries of memory, which the leaderboard of a clone of this repository has for its suites.
        """
        return {number: row for number, (row,) in ranking_of_runs([self.entry])["scores"].items()}

    def score(self, number: str, *, task: str | None = None) -> float | None:
        """Return the score `carried` or `fitted`, of the suite or of a task; 100 is as good as the native vector.

        None where there is no such score: `run.scores` says why. A run of a part of a suite has `fitted` by task, and
        none of the suite. UserError for another number, or a task that was not run.
        """
        if number not in self.scores:
            raise UserError(f"There is no score {number!r}: the two are {' and '.join(self.scores)}.")
        if task is None:
            score: float | None = self.scores[number]["score"]
            return score
        tasks = {cell.task for cell in self.entry.cells if not cell.check}
        if task not in tasks:
            raise UserError(f"The run has no task {task!r}.{nearest(task, sorted(tasks))}")
        of_track = self.entry.headline.by_track.get(FITTED_TRACK)
        if number == FITTED and of_track is not None and task in of_track.by_task:
            return of_track.by_task[task].score
        of_task: float | None = self.scores[number]["by_task"].get(task, {}).get("score")
        return of_task

    def rows(self) -> pa.Table:
        """Return every prompt, condition, completion and verdict as a pyarrow table; `.to_pandas()` is a data frame.

        UserError where the file is missing.
        """
        try:
            return pq.read_table(self.folder / ROWS)
        except (OSError, pa.ArrowInvalid) as error:
            raise UserError(f"{self.folder / ROWS} cannot be read: {str(error).splitlines()[0]}.") from error

    def __repr__(self) -> str:
        return f"Run({self.entry.mapper.name} on {self.entry.suite.name}, in {self.folder})"

    def _repr_html_(self) -> str:
        return html_of(self.entry)


def score(
    mapper: str | type,
    suite: str | Path | Suite = "pocket",
    *,
    tasks: Sequence[str] = (),
    pairs: Sequence[str] = (),
    variants: Sequence[str] = (),
    tracks: Sequence[str] = (),
    options: Mapping[str, Value] | None = None,
    seed: int = 0,
    batch_size: BatchSize = 256,
    device: str = "auto",
    workers: int | None = None,
    executor: ExecutorName = "local",
    address: str | None = None,
    cell_timeout: float | None = None,
    out: str | Path | None = None,
    judge_requests: int | None = None,
    judge_dollars: float | None = None,
    isolate: bool = True,
    progress: bool | None = None,
) -> Run:
    """Score a mapper on a suite, as `graftbench score` does.

    >>> import graftbench as gb
    >>> run = gb.score("ridge", "few.yaml", tasks=["backdoor_removal"], out="runs/few-ridge")
    >>> run.rows().num_rows > 0
    True

    Cells run in worker processes: in a script, call it below `if __name__ == "__main__":`. A class of a notebook is
    written to a file first, with the imports, functions, classes and plain values of the notebook that it uses.

    Args:
        mapper: Name of an installed mapper, `path/to/file.py:Class`, or a class.
        suite: Name of a suite that ships, a YAML file, or what `read_suite` returns.
        tasks: Tasks to run, all where none is named.
        pairs: Pairs to run, such as `llama-s->llama-m`, all where none is named.
        variants: Variants to run, such as `formal`, all where none is named.
        tracks: Fit tracks to run, such as `unseen`, all where none is named.
        options: Options of the mapper, by name.
        seed: The mapper's first seed.
        batch_size: Rows at a time; `auto` begins with as many as the free memory holds.
        device: cpu, cuda, cuda:1, ...; `auto` is the GPU where there is one.
        workers: Cells at a time, on a CPU; two where it is not said, and on a cluster as many as it has room for.
        executor: `inline`, in this process; `local`, in worker processes; `ray`, on the nodes of a cluster.
        address: The address of the Ray cluster; where there is none, Ray runs on this machine alone.
        cell_timeout: Seconds after which a cell is stopped.
        out: The run's folder, one below `runs/` where none is given.
        judge_requests: Requests to a server after which judges stop.
        judge_dollars: Costs at which judges behind a server stop.
        isolate: Whether a mapper that does not come with graftbench runs in an isolated process; False for your own
            code in a debugger.
        progress: Whether to show progress bars; where it is not said, in a terminal and not in a notebook.

    Raises:
        UserError: The mapper, suite, a task, pair, variant, track or option is unknown or makes no sense, or the folder
            cannot be used.

    """
    _require_lists(tasks=tasks, pairs=pairs, variants=variants, tracks=tracks)
    request = Request(
        suite=suite if isinstance(suite, Suite) else read_suite(str(suite)),
        mapper=describe(source_of(mapper), options or {}),
        tasks=tuple(tasks),
        pairs=tuple(pairs),
        variants=tuple(variants),
        tracks=tuple(tracks),
        seed=seed,
        batch_size=batch_size,
        device=device,
        where=Where(executor, address, workers),
        cell_timeout=cell_timeout,
        out=None if out is None else Path(out),
        judge_requests=judge_requests,
        judge_dollars=judge_dollars,
        isolate=isolate,
    )
    return _run(request, progress)


def _require_lists(**named: Sequence[str]) -> None:
    """Raise UserError where a word stands for a list of words: its letters would be taken one by one."""
    for name, given in named.items():
        if isinstance(given, str):
            raise UserError(f"`{name}` is a list, also of one: {name}=[{given!r}].")


def _run(request: Request, progress: bool | None) -> Run:
    finished = run(request, _console(progress))
    write_leaderboard(finished.folder / LEADERBOARD, [finished.entry])
    return Run(finished.folder, finished.entry)


def check(
    mapper: str | type,
    *,
    options: Mapping[str, Value] | None = None,
    isolate: bool = True,
    progress: bool = True,
) -> bool:
    """Return whether a mapper keeps to the protocol, tried on planted pairs in seconds.

    >>> import graftbench as gb
    >>> gb.check("ridge", progress=False)
    True

    Args:
        mapper: Name of an installed mapper, `path/to/file.py:Class`, or a class.
        options: Options of the mapper, by name.
        isolate: Whether a mapper that does not come with graftbench runs in an isolated process; False for your own
            code in a debugger.
        progress: Whether to print what passes and what does not.

    Raises:
        UserError: There is no such mapper, it lacks a method, or an option makes no sense.

    """
    info = describe(source_of(mapper), options or {})
    return check_mapper(info, isolation_of(info, isolate=isolate), Console(quiet=not progress)) == 0


def _console(progress: bool | None) -> Console:
    """Return a console that shows progress bars where they are wanted: unasked, in a terminal alone."""
    return Console(quiet=not (sys.stderr.isatty() if progress is None else progress))
