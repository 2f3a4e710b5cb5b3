"""Tables of a run beside the published figures of the paper."""

from collections import Counter
from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from graftbench.benchmark.core.escaping import escape_control
from graftbench.benchmark.core.tables import print_table
from graftbench.benchmark.results.schema import Entry
from graftbench.leaderboard.own_figures import Ours
from graftbench.leaderboard.paper_comparison import CellComparison, Comparison, Row
from graftbench.leaderboard.published import Measure, Published, PublishedFigure

PERCENT = "%"


def print_comparison(comparison: Comparison, entry: Entry, published: Published, console: Console) -> None:
    """Print a table for each cell that the paper has too, with notes, and what the run does not have."""
    if not comparison.cells:
        _print(_nothing(entry, published), console)
        return
    _print(f"{entry.mapper.name} on {entry.suite.name}, beside {published.edition}", console)
    notes: dict[str, int] = {}
    for cell in comparison.cells:
        if cell.rows:
            print_table(_table(cell, entry.mapper.name, published, notes), console)
        if cell.without:
            _print(_without(cell, published), console)
    _print_list("Notes", (f"{number}: {note}" for note, number in notes.items()), console)
    _print_list("Read with care", published.caveats, console)
    total = sum(1 for _ in published.figures)
    _print_list(
        f"Not in this run: the cells of {len(comparison.absent)} of {total} published figures",
        _absent(comparison.absent),
        console,
    )


def _nothing(entry: Entry, published: Published) -> str:
    return (
        f"The paper has no figure of any cell of {entry.mapper.name} on {entry.suite.name}: its models are "
        f"{', '.join(published.models)}, and only cells on the track task are compared."
    )


def _table(cell: CellComparison, mapper: str, published: Published, notes: dict[str, int]) -> Table:
    """Build the table of a cell; its notes get the next numbers in `notes`."""
    table = Table(
        title=escape(f"{cell.task}, {cell.variant}, {cell.pair} ({cell.models})"),
        title_justify="left",
        caption="n: completions or texts; intervals cover 95 %; of several seeds the mean and the range",
        caption_justify="left",
        show_lines=True,
    )
    table.add_column("figure, source", overflow="fold")
    for column in ("paper", escape(f"here ({mapper})")):
        table.add_column(column, justify="right", overflow="fold")
    table.add_column("comparable", overflow="fold")
    for row in cell.rows:
        numbers = [str(notes.setdefault(note, len(notes) + 1)) for note in row.figure.notes]
        table.add_row(*_table_row(row, published.measures[row.figure.measure], ", ".join(numbers)))
    return table


def _table_row(row: Row, measure: Measure, notes: str) -> list[str]:
    """Return the row of a figure; `notes` are the numbers of its notes."""
    figure = row.figure
    about = [figure.where, row.condition.replace("_", " "), figure.mapper if figure.mapper != figure.condition else ""]
    unit = "" if measure.unit == PERCENT else f" ({measure.unit})"
    return [
        escape(f"{measure.title}{unit}\n{', '.join(filter(None, about))}\n{figure.source.of}, {figure.source.at}"),
        f"{figure.value:g}{_percent(measure)}\n{_count(figure.n)}",
        escape(f"{_ours(row.ours, measure)}\n{_count(row.ours.n)}"),
        f"{measure.comparable}\nnotes {notes}" if notes else measure.comparable,
    ]


def _ours(ours: Ours, measure: Measure) -> str:
    """Return a figure of ours in the unit of the published one, or with its own unit, and its interval."""
    scale, digits = (100, 1) if measure.unit == PERCENT else (1, 2)
    own_unit = f" {measure.here.unit}" if measure.here and measure.here.unit else _percent(measure)
    text = f"{ours.value * scale:z.{digits}f}{own_unit}"
    if ours.low is None or ours.high is None:
        return text
    seeds = f" over {ours.seeds} seeds" if ours.seeds > 1 else ""
    return f"{text}\n{ours.low * scale:z.{digits}f} to {ours.high * scale:z.{digits}f}{seeds}"


def _percent(measure: Measure) -> str:
    return " %" if measure.unit == PERCENT else ""


def _count(n: int | None) -> str:
    return "n unknown" if n is None else f"n = {n}"


def _without(cell: CellComparison, published: Published) -> str:
    titles = Counter(published.measures[figure.measure].title for figure in cell.without)
    listed = ", ".join(f"{title} ({n})" if n > 1 else title for title, n in titles.items())
    return (
        f"{cell.task} {cell.variant} {cell.pair}: {len(cell.without)} published figures have none of ours beside them: "
        f"{listed}"
    )


def _absent(figures: Iterable[PublishedFigure]) -> Iterator[str]:
    """Yield a line for each behaviour, with its models."""
    models: dict[tuple[str, str], Counter[str]] = {}
    for figure in figures:
        models.setdefault((figure.task, figure.variants[0]), Counter())[figure.models] += 1
    for (task, variant), counts in models.items():
        listed = ", ".join(f"{name} ({n})" for name, n in counts.items())
        yield f"{task} {variant}: {listed}"


def _print_list(title: str, lines: Iterable[str], console: Console) -> None:
    console.print(f"[bold]{escape(title)}[/bold]", highlight=False)
    for line in lines:
        _print(f"  {line}", console)


def _print(text: str, console: Console) -> None:
    console.print(escape_control(text), markup=False, highlight=False, soft_wrap=True)
