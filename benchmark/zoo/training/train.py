"""`graftbench zoo train`: build models in parallel, parents first, then measure them."""

import os
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from multiprocessing import Manager
from pathlib import Path
from queue import Empty, Queue

import torch
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
from graftbench.benchmark.models.devices import device_of
from graftbench.benchmark.zoo.check import check, one_thread_processes
from graftbench.benchmark.zoo.names import ZooName
from graftbench.benchmark.zoo.training.build import CPU, build

_REPORT_EVERY = 5  # steps

Message = tuple[str, int, int, float | None]  # model, step, number of steps, loss


def train(names: list[ZooName], out: Path, workers: int, device: str, console: Console, *, measure: bool) -> int:
    """Train the models that are not yet in `out`, resuming interrupted ones; `measure` them and write the cards.

    UserError where `out` cannot be written to, or there is no such device.
    """
    place = device_of(device)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"The folder {out} cannot be made: {error.strerror}. Name another with --out.") from error
    models = with_parents(names)
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
            train_all(models, out, workers, bars, place)
    except OSError as error:
        raise UserError(f"Training stopped, for {out} cannot be written to: {error}. Run it again to go on.") from error
    return check(models, out, workers, quick=False, write=True, console=console) if measure else 0


def with_parents(names: list[ZooName]) -> list[ZooName]:
    """Return the named models and all that they are tuned from, parents before children."""
    models: dict[str, ZooName] = {}
    for name in names:
        line = [name]
        while (parent := line[0].parent) is not None:
            line.insert(0, parent)
        models |= {str(ancestor): ancestor for ancestor in line}
    return list(models.values())


def train_all(models: list[ZooName], out: Path, workers: int, bars: Progress, device: torch.device = CPU) -> None:
    """Train models into `out`, each as soon as its parent is there and a worker is free."""
    n_ahead = 0 if device.type == "cpu" else n_processes_ahead(workers)
    waiting, done = list(models), set[str]()
    running: dict[Future[None], ZooName] = {}
    with Manager() as manager, one_thread_processes(workers) as executor:
        messages: Queue[Message] = manager.Queue()
        show = _progress_bars(bars)
        while waiting or running:
            for name in [name for name in waiting if name.parent is None or str(name.parent) in done]:
                waiting.remove(name)
                running[executor.submit(_build, name, out, messages, device, n_ahead)] = name
            for future in wait(running, timeout=0.5, return_when=FIRST_COMPLETED).done:
                future.result()
                done.add(str(running.pop(future)))
            _drain(messages, show)


def n_processes_ahead(workers: int) -> int:
    """Return how many processes make batches for each model on a GPU: two for each core, without the workers."""
    return max(1, 2 * (os.cpu_count() or 1) // workers - 1)


def _build(name: ZooName, out: Path, messages: "Queue[Message]", device: torch.device, n_ahead: int) -> None:
    """Build a model in a worker, reporting its progress."""
    steps = name.family.phases[name.version].steps

    def report(step: int, loss: float) -> None:
        if step % _REPORT_EVERY == 0 or step == steps:
            messages.put((str(name), step, steps, loss))

    build(name, out, report, device, n_ahead)
    messages.put((str(name), steps, steps, None))


def _drain(messages: "Queue[Message]", show: Callable[[Message], None]) -> None:
    """Show all messages that are waiting."""
    while True:
        try:
            show(messages.get_nowait())
        except Empty:
            return


def _progress_bars(bars: Progress) -> Callable[[Message], None]:
    """Return a function that shows a message in the progress bar of its model."""
    tasks: dict[str, TaskID] = {}

    def show(message: Message) -> None:
        name, step, steps, loss = message
        if name not in tasks:
            tasks[name] = bars.add_task(name, total=steps, loss=float("nan"))
        if loss is not None:  # the last message of a model has none
            bars.update(tasks[name], loss=loss)
        bars.update(tasks[name], completed=step)

    return show
