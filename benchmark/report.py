"""What a run found, in a terminal."""

from rich.console import Console
from rich.table import Table

from graftbench.leaderboard.schema import Cell, Entry, Rate, Score, TaskScore


def print_entry(entry: Entry, console: Console) -> None:
    """A table of the cells and the headline below it."""
    table = Table(
        title=f"{entry.mapper.name} on {entry.suite.name}: success, with 95 % intervals", title_justify="left"
    )
    for column in ("cell", "unsteered", "baseline", "mapped", "own norm", "native", "transfer"):
        table.add_column(column, justify="left" if column == "cell" else "right")
    for cell in entry.cells:
        table.add_row(*_cells(cell))
    console.print(table)
    console.print(_headline(entry), highlight=False, markup=False, soft_wrap=True)


def _cells(cell: Cell) -> list[str]:
    name = f"{cell.variant}\n{cell.pair} {cell.track}" + (f" seed {cell.seed}" if cell.seed else "")
    name += " (check)" if cell.check else ""
    if cell.status != "ok":
        return [name, f"{cell.status}: {cell.reason}", "", "", "", "", ""]
    baseline = cell.transfer.baseline if cell.transfer else "random"
    shown = ("unsteered", baseline, "mapped", "mapped_own_norm", "native")
    return [name, *(_rate(cell.rates.get(condition)) for condition in shown), _transfer(cell)]


def _rate(rate: Rate | None) -> str:
    if rate is None:
        return "-"
    return f"- ({rate.reason})" if rate.value is None else f"{rate.value:.2f}\n{rate.low:.2f}-{rate.high:.2f}"


def _transfer(cell: Cell) -> str:
    transfer = cell.transfer
    if transfer is None or transfer.value is None:
        return f"- ({(transfer.reason if transfer else None) or 'none'})".replace("_", " ")
    return f"{transfer.value:.2f}\n{transfer.low:.2f}-{transfer.high:.2f}"


def _headline(entry: Entry) -> str:
    head = entry.headline
    lines = [f"Score, 100 being as good as native; {head.n_steerable} of {head.n_cells} cells can be steered:"]
    lines += [f"  {name}: {_score(score)}" for name, score in {"all cells": head, **head.by_track}.items()]
    return "\n".join(lines)


def _score(score: Score) -> str:
    tasks = ", ".join(f"{name} {_value(task)}" for name, task in score.by_task.items())
    why = "" if score.score is not None else f" ({(score.reason or '').replace('_', ' ')})"
    return f"{_value(score)}{why}; {tasks}"


def _value(score: Score | TaskScore) -> str:
    if score.score is None:
        return "no score"
    return f"{score.score:.1f} ({score.low:.1f} to {score.high:.1f})"
