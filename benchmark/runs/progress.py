"""Progress of a run: how many cells are done, and how far the ones are that are being worked on."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

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

from graftbench.benchmark.runs.executors.protocol import Failure, Message


class Named(Protocol):
    """A cell, or a job that is shown as one."""

    @property
    def name(self) -> str:
        """How it is called in tables and messages."""


Listeners = tuple[Callable[[Message], None], Callable[[str, Any], None]]


_COLUMNS = (
    TextColumn("{task.description}"),
    BarColumn(bar_width=24),
    MofNCompleteColumn(),
    TimeElapsedColumn(),
    TimeRemainingColumn(),
)


@contextmanager
def counting(what: str, n: int, console: Console) -> Iterator[Callable[[int], None]]:
    """A bar for `n` things of one kind; gives what is told how many more are done."""
    with Progress(*_COLUMNS, console=console, transient=True) as bars:
        bar = bars.add_task(what, total=n)
        yield lambda done: bars.advance(bar, done)


@contextmanager
def shown(cells: Sequence[Named], console: Console, grounds: Mapping[str, str] | None = None) -> Iterator[Listeners]:
    """Bars on a terminal, and a line for each finished cell; gives what hears workers, and what hears results.

    `grounds` are jobs that come before cells, with what is said of each when it is done.
    """
    names = {cell.name for cell in cells}
    with Progress(*_COLUMNS, console=console) as bars:
        whole = bars.add_task("cells", total=len(cells))
        open_bars: dict[str, TaskID] = {}

        def hear(message: Message) -> None:
            cell, what, done, of = message
            if cell not in open_bars:
                open_bars[cell] = bars.add_task(cell, total=of or None)
            bars.update(open_bars[cell], description=f"  {cell}: {what}", completed=done, total=of or None)

        def finished(name: str, result: Any) -> None:
            if grounds and name in grounds and not isinstance(result, Failure):
                bars.console.print(grounds[name], highlight=False, markup=False, soft_wrap=True)
            if name in names:
                bars.advance(whole)
                if name in open_bars:
                    bars.remove_task(open_bars.pop(name))
                said = f"{result.status}: {result.reason}" if isinstance(result, Failure) else "done"
                bars.console.print(f"{name}: {said}", highlight=False, markup=False, soft_wrap=True)

        yield hear, finished
