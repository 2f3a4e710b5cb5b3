"""`graftbench zoo train`: build models one after another, parents first, then measure them."""

from pathlib import Path

import torch
import transformers
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ..errors import UserError
from .build import build
from .check import check
from .names import Name


def train(names: list[Name], out: Path, threads: int, console: Console) -> int:
    """Train what is not yet in `out`, and write the cards. What was stopped goes on where it stood."""
    torch.set_num_threads(threads)
    transformers.logging.disable_progress_bar()
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"The folder {out} cannot be made: {error.strerror}. Name another with --out.") from error
    plan = _with_parents(names)
    for name in plan:
        _train_one(name, out, console)
    return check(plan, out, threads, quick=False, write=True, console=console)


def _with_parents(names: list[Name]) -> list[Name]:
    found: dict[str, Name] = {}
    for name in names:
        line = [name]
        while (parent := line[0].parent) is not None:
            line.insert(0, parent)
        found |= {str(ancestor): ancestor for ancestor in line}
    return list(found.values())


def _train_one(name: Name, out: Path, console: Console) -> None:
    steps = name.family.phases[name.version].steps
    columns = (
        TextColumn("{task.description:>18}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.3f}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bars:
        bar = bars.add_task(str(name), total=steps, loss=float("nan"))
        build(name, out, lambda step, loss: bars.update(bar, completed=step, loss=loss))
        bars.update(bar, completed=steps)
