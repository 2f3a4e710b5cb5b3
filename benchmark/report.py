"""What a run found, in a terminal."""

from rich.console import Console
from rich.table import Table

from graftbench.leaderboard.schema import Cell, Entry, Rate, TaskScore


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
    steerable = f"{head.n_steerable} of {head.n_cells} cells can be steered"
    if head.score is None:
        first = f"No score: {(head.reason or '').replace('_', ' ')}. {steerable}."
    else:
        first = f"Score {head.score:.1f} ({head.low:.1f} to {head.high:.1f}), 100 being as good as native. {steerable}."
    return "\n".join([first, *(_task(name, score) for name, score in head.by_task.items())])


def _task(name: str, score: TaskScore) -> str:
    found = "no score" if score.score is None else f"{score.score:.1f} ({score.low:.1f} to {score.high:.1f})"
    return f"  {name}: {found}, {score.n_steerable} of {score.n_cells} cells"
