"""Progress of a run: how many cells are done, and how far the running ones are."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
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

_SILENT = 30.0  # seconds between lines where no bars are shown, as in a file
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


@dataclass
class Step:
    """What is going on, and how much of it is done; `of` is 0 where nobody knows how much there is."""

    what: str
    of: int
    done: int
    before: int = field(init=False)  # done when it was first heard of, as from a cache
    started: float = field(init=False)

    def __post_init__(self) -> None:
        self.before, self.started = self.done, time.monotonic()

    @property
    def has_ended(self) -> bool:
        """Whether all of it is done."""
        return 0 < self.of <= self.done

    def is_followed_by(self, what: str, done: int, of: int) -> bool:
        """Take a report of the same step, and return True; False where it is of another."""
        same = (what, of) == (self.what, self.of) and done >= self.done
        self.done = done if same else self.done
        return same

    def __str__(self) -> str:
        """Say what is going on, how much is done, how fast, and how long the rest takes at that speed."""
        if not self.of:
            return self.what
        new, seconds = self.done - self.before, time.monotonic() - self.started
        speed = f", {new / seconds:.3g} per second, {_clock(seconds * (self.of - self.done) / new)} left" if new else ""
        return f"{self.what}, {self.done} of {self.of}{speed}"


def _now(step: Step) -> str:
    """Say what is going on: after the end of a step that is something that nobody reports."""
    return "running" if step.has_ended else str(step)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}"


class _Lines:
    """Lines where no bars are shown, each with the time since the start; `now` gives those of a silent half minute."""

    def __init__(self, console: Console, now: Callable[[], Sequence[str]]) -> None:
        self._console, self._now = console, now
        self._printed = self._started = time.monotonic()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._tick, daemon=True)

    def __enter__(self) -> Self:
        if not self._console.is_terminal:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join()

    def print(self, line: str) -> None:
        """Print a line; a terminal, which shows bars, gets it without the time."""
        self._printed = time.monotonic()
        if not self._console.is_terminal:
            line = f"{_clock(self._printed - self._started)} {line}"
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    def _tick(self) -> None:
        while not self._over.wait(max(0.0, self._printed + _SILENT - time.monotonic())):
            if time.monotonic() - self._printed >= _SILENT:
                for line in self._now():
                    self.print(line)
                self._printed = time.monotonic()


class Bars:
    """Bars on a terminal for the cells of a run, and a line for each that has ended.

    Elsewhere, as in a file, a line every half minute says how far each running job is. The jobs that are no cells make
    the references that cells share; `references` has the label of each. `unit` is what cells are called.
    """

    def __init__(
        self,
        cells: Sequence[Named],
        jobs: Sequence[Job],
        console: Console,
        references: dict[str, str] | None = None,
        unit: str = "cells",
    ) -> None:
        self._unit = unit
        self._cells = {cell.name for cell in cells}
        self._references = references or {}
        self._progress = Progress(*_COLUMNS, console=console)
        left = {job.name for job in jobs} & self._cells
        self._done, self._of = len(cells) - len(left), len(cells)
        self._total = self._progress.add_task(unit, total=self._of, completed=self._done)
        self._bars: dict[str, TaskID] = {}
        self._steps: dict[str, Step] = {}
        self._ended: set[str] = set()
        self._lines = _Lines(console, self._where)

    def __enter__(self) -> Self:
        self._progress.start()
        self._lines.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lines.__exit__()
        self._progress.stop()

    def progress(self, job: str, what: str, done: int, of: int) -> None:
        """Show what a job is doing; a report may arrive after the end of one that was stopped."""
        if job in self._ended:
            return
        label = self._references.get(job, job)
        if job not in self._bars:
            self._bars[job] = self._progress.add_task(label, total=of or None)
        self._progress.update(self._bars[job], description=f"  {label}: {what}", completed=done, total=of or None)
        if job not in self._steps or not self._steps[job].is_followed_by(what, done, of):
            self._steps[job] = Step(what, of, done)

    def ended(self, job: str, result: Any) -> None:
        """Print a line for a job that has ended, and take its bar away."""
        self._ended.add(job)
        self._steps.pop(job, None)
        if job in self._bars:
            self._progress.remove_task(self._bars.pop(job))
        if job in self._cells:
            self._done += 1
            self._progress.advance(self._total)
            word = f"{result.status}: {result.reason}" if isinstance(result, Failure) else "done"
            self._lines.print(f"{job}: {word}")
        elif job in self._references and not isinstance(result, Failure):
            self._lines.print(f"{self._references[job]}: what does not depend on the mapper is there")

    def _where(self) -> list[str]:
        """Say how far every running job is."""
        steps = list(self._steps.items())  # another thread may add to them
        cells = f"{self._done} of {self._of} {self._unit} done"
        return [f"{self._references.get(job, job)}: {_now(step)}; {cells}" for job, step in steps] or [cells]


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
    shown: dict[str, TaskID] = {}
    steps: list[Step] = []
    with (
        Progress(*_COLUMNS, console=console, transient=True) as bars,
        _Lines(console, lambda: [_now(step) for step in steps[-1:]]),
    ):

        def told(what: str, done: int, of: int) -> None:
            if what not in shown:
                shown[what] = bars.add_task(what, total=of or None)
            bars.update(shown[what], completed=done, total=of or None)
            if not steps or not steps[-1].is_followed_by(what, done, of):
                steps.append(Step(what, of, done))

        yield told
