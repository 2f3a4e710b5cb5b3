"""Progress of a run: how many cells are done, and how far the running ones are."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Protocol, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from graftbench.benchmark.runs.executors.protocol import Failure, Job

_SILENT = 30  # seconds between lines where no bars are shown, as in a file
_COLUMNS = (
    TextColumn("{task.description}"),
    BarColumn(bar_width=24),
    MofNCompleteColumn(),
    TimeElapsedColumn(),
    TimeRemainingColumn(),
)


class Named(Protocol):
    """A cell, or a job that is shown as one."""

    @property
    def name(self) -> str:
        """Its name in tables and messages."""


class Bars:
    """Bars on a terminal for the cells of a run, and a line for each that has ended.

    The other jobs make the references that cells share; `references` has the label of each.
    """

    def __init__(
        self, cells: Sequence[Named], jobs: Sequence[Job], console: Console, references: dict[str, str] | None = None
    ) -> None:
        self._cells = {cell.name for cell in cells}
        self._references = references or {}
        self._progress = Progress(*_COLUMNS, console=console)
        left = {job.name for job in jobs} & self._cells
        self._total = self._progress.add_task("cells", total=len(cells), completed=len(cells) - len(left))
        self._bars: dict[str, TaskID] = {}
        self._printed = self._started = time.monotonic()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def progress(self, job: str, what: str, done: int, of: int) -> None:
        """Show what a job is doing."""
        label = self._references.get(job, job)
        if job not in self._bars:
            self._bars[job] = self._progress.add_task(label, total=of or None)
        self._progress.update(self._bars[job], description=f"  {label}: {what}", completed=done, total=of or None)
        if not self._progress.console.is_terminal and time.monotonic() - self._printed > _SILENT:
            self._print(f"{label}: {what}, {done}{f' of {of}' if of else ''}")

    def ended(self, job: str, result: Any) -> None:
        """Print a line for a job that has ended, and take its bar away."""
        if job in self._bars:
            self._progress.remove_task(self._bars.pop(job))
        if job in self._cells:
            self._progress.advance(self._total)
            self._print(f"{job}: {result.status}: {result.reason}" if isinstance(result, Failure) else f"{job}: done")
        elif job in self._references and not isinstance(result, Failure):
            self._print(f"{self._references[job]}: what does not depend on the mapper is there")

    def _print(self, line: str) -> None:
        self._printed = time.monotonic()
        if not self._progress.console.is_terminal:
            minutes, seconds = divmod(round(self._printed - self._started), 60)
            line = f"{minutes}:{seconds:02} {line}"
        self._progress.console.print(line, highlight=False, markup=False, soft_wrap=True)


@contextmanager
def counting(what: str, n: int, console: Console) -> Iterator[Callable[[int], None]]:
    """Show a bar for `n` things of one kind, and yield a function to call with the number that were done since."""
    with Progress(*_COLUMNS, console=console, transient=True) as bars:
        bar = bars.add_task(what, total=n)
        yield lambda done: bars.advance(bar, done)


@contextmanager
def following(console: Console) -> Iterator[Callable[[str, int, int], None]]:
    """Yield a function that is told what is going on, how much of it is done, and of how much; show a bar for each.

    A line every half minute takes the place of bars where the output goes into a file.
    """
    with Progress(*_COLUMNS, console=console, transient=True) as bars:
        shown: dict[str, TaskID] = {}
        printed = time.monotonic()

        def told(what: str, done: int, of: int) -> None:
            nonlocal printed
            if what not in shown:
                shown[what] = bars.add_task(what, total=of)
            bars.update(shown[what], completed=done, total=of)
            if not console.is_terminal and time.monotonic() - printed > _SILENT:
                printed = time.monotonic()
                console.print(f"{what}: {done} of {of}", highlight=False)

        yield told
