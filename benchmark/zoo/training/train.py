"""`graftbench zoo train`: build models, parents first and several at once, then measure them."""

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from multiprocessing import Manager
from pathlib import Path
from queue import Empty, Queue

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

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.zoo.check import check
from graftbench.benchmark.zoo.names import ZooName
from graftbench.benchmark.zoo.training.build import build
from graftbench.benchmark.zoo.training.workers import pool

_REPORT_EVERY = 5  # steps

Message = tuple[str, int, int, float | None]  # model, step, of how many, loss


def train(names: list[ZooName], out: Path, workers: int, console: Console) -> int:
    """Train what is not yet in `out`, and write the cards. What was stopped goes on where it stood."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"The folder {out} cannot be made: {error.strerror}. Name another with --out.") from error
    plan = with_parents(names)
    columns = (
        TextColumn("{task.description:>18}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.3f}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    try:
        with Progress(*columns, console=console) as bars:
            train_all(plan, out, workers, bars)
    except OSError as error:
        raise UserError(f"Training stopped, for {out} cannot be written to: {error}. Run it again to go on.") from error
    return check(plan, out, workers, quick=False, write=True, console=console)


def with_parents(names: list[ZooName]) -> list[ZooName]:
    """The models named and all that they are tuned from, parents before children."""
    found: dict[str, ZooName] = {}
    for name in names:
        line = [name]
        while (parent := line[0].parent) is not None:
            line.insert(0, parent)
        found |= {str(ancestor): ancestor for ancestor in line}
    return list(found.values())


def train_all(plan: list[ZooName], out: Path, workers: int, bars: Progress) -> None:
    """Train the models of `plan` into `out`, each as soon as its parent is there and a worker is free."""
    waiting, done = list(plan), set[str]()
    running: dict[Future[None], ZooName] = {}
    with Manager() as manager, pool(workers) as executor:
        messages: Queue[Message] = manager.Queue()
        show = _shown(bars)
        while waiting or running:
            for name in [name for name in waiting if name.parent is None or str(name.parent) in done]:
                waiting.remove(name)
                running[executor.submit(_build, name, out, messages)] = name
            for future in wait(running, timeout=0.5, return_when=FIRST_COMPLETED).done:
                future.result()
                done.add(str(running.pop(future)))
            _drain(messages, show)


def _build(name: ZooName, out: Path, messages: "Queue[Message]") -> None:
    steps = name.family.phases[name.version].steps

    def report(step: int, loss: float) -> None:
        if step % _REPORT_EVERY == 0 or step == steps:
            messages.put((str(name), step, steps, loss))

    build(name, out, report)
    messages.put((str(name), steps, steps, None))


def _drain(messages: "Queue[Message]", show: Callable[[Message], None]) -> None:
    while True:
        try:
            show(messages.get_nowait())
        except Empty:
            return


def _shown(bars: Progress) -> Callable[[Message], None]:
    tasks: dict[str, TaskID] = {}

    def show(message: Message) -> None:
        name, step, steps, loss = message
        if name not in tasks:
            tasks[name] = bars.add_task(name, total=steps, loss=float("nan"))
        if loss is not None:  # the last message of a model has none
            bars.update(tasks[name], loss=loss)
        bars.update(tasks[name], completed=step)

    return show
