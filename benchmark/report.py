"""What a run found, in a terminal."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from graftbench.leaderboard.schema import Cell, Entry, Rate, Score, TaskScore

NARROW = 120  # columns of a terminal below which some conditions are left out


def print_entry(entry: Entry, console: Console) -> None:
    """A table of the cells and the scores below it."""
    shown = ("mapped", "native") if console.width < NARROW else ("unsteered", "mapped", "mapped_own_norm", "native")
    table = Table(
        title=f"{entry.mapper.name} on {entry.suite.name}: success, with 95 % intervals",
        title_justify="left",
        caption="baseline: random vectors; the mean activation in version_switching",
        caption_justify="left",
    )
    table.add_column("cell", overflow="fold")
    for column in ("baseline", *(condition.replace("mapped_", "") for condition in shown), "transfer"):
        table.add_column(column.replace("_", " "), justify="right")
    for cell in entry.cells:
        table.add_row(*_cells(cell, shown))
    console.print(table)
    console.print(_headline(entry), highlight=False, markup=False, soft_wrap=True)


def _cells(cell: Cell, shown: Sequence[str]) -> list[str]:
    fit = f"fit: {cell.track}" + (f", seed {cell.seed}" if cell.seed else "") + (" (check)" if cell.check else "")
    name = f"{cell.task}\n  {cell.variant}\n  {cell.pair}\n  {fit}"
    if cell.status != "ok":
        return [name, *[""] * (len(shown) + 1), cell.status]
    baseline = cell.transfer.baseline if cell.transfer else "random"
    return [name, *(_rate(cell.rates.get(condition)) for condition in (baseline, *shown)), _transfer(cell)]


def _rate(rate: Rate | None) -> str:
    if rate is None:
        return "-"
    if rate.value is None:
        return f"-\n{_words(rate.reason)}"
    return f"{rate.value:.2f}\n{rate.low:.2f} to {rate.high:.2f}"


def _transfer(cell: Cell) -> str:
    transfer = cell.transfer
    if transfer is None or transfer.value is None:
        return f"-\n{_words(transfer.reason if transfer else None)}"
    return f"{transfer.value:.2f}\n{transfer.low:.2f} to {transfer.high:.2f}"


def _words(reason: str | None) -> str:
    return (reason or "none").replace("_", " ")


def _headline(entry: Entry) -> str:
    head = entry.headline
    lines = [f"Score, 100 being as good as native; {head.n_steerable} of {head.n_cells} cells can be steered:"]
    lines += [f"  {name}: {_score(score)}" for name, score in {"all cells": head, **head.by_track}.items()]
    return "\n".join(lines)


def _score(score: Score) -> str:
    """The scores of the tasks, and that of the suite or why there is none."""
    tasks = [f"{name} {_value(task)}" for name, task in score.by_task.items()]
    whole = f"{_value(score)}" if score.score is not None else f"no score of the suite, for {_words(score.reason)}"
    return "; ".join([*tasks, whole] if score.score is None else [whole, *tasks])


def _value(score: Score | TaskScore) -> str:
    if score.score is None:
        return "no score"
    return f"{score.score:.1f} ({score.low:.1f} to {score.high:.1f})"
