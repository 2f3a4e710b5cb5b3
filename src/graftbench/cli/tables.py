"""Tables in a terminal: the cells and scores of an entry, and the ranking of a suite."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from graftbench.benchmark.core.tables import print_table
from graftbench.benchmark.results.schema import CellResult, Entry, Rate, Transfer
from graftbench.leaderboard.columns import rank_range, side_effects
from graftbench.leaderboard.own_runs import ranking_of_runs

CAPTION = (
    "With 95 % confidence intervals; a transfer has no limits where native's gain may be nothing. Baseline: {}. In "
    "brackets under a transfer: its 95 % prediction interval, against a single random vector."
)
FIGURES = ("score", "low", "high", "null_low", "null_high")
NARROW = 120  # columns of a terminal below which intervals take two lines, and the mapper's own norm is left out
_BASELINES = {
    "random": "the mean of random vectors, with the 95 % prediction interval of a single one",
    "mean_ablated": "the mean activation",
    "eraser": "the direct patch without its trigger",
}


def print_entry(entry: Entry, console: Console) -> None:
    """Print a table of the cells, the scores, and a table of side effects."""
    narrow = console.width < NARROW
    shown = ("mapped", "native") if narrow else ("mapped", "mapped_own_norm", "native")
    print_table(_cells_table(entry, shown, "\n" if narrow else " "), console)
    console.print("\n".join(_scores(entry)), highlight=False, markup=False, soft_wrap=True)
    costs = _costs(entry)
    if costs.row_count:
        print_table(costs, console)


def _cells_table(entry: Entry, shown: Sequence[str], gap: str) -> Table:
    table = Table(
        title=escape(f"{entry.mapper.name} on {entry.suite.name}") + ": success and transfer",
        title_justify="left",
        caption=_caption(entry.cells),
        caption_justify="left",
    )
    table.add_column("cell", overflow="fold")
    for column in ("unsteered", "baseline", *(condition.replace("mapped_", "") for condition in shown), "transfer"):
        table.add_column(column.replace("_", " "), justify="right")
    for cell in entry.cells:
        table.add_row(*_cell_row(cell, shown, gap))
    return table


def _caption(cells: Sequence[CellResult]) -> str | None:
    """Say what the baseline is in these cells, and in which tasks it is another than random vectors."""
    measured = [(cell, cell.transfer.baseline) for cell in cells if cell.transfer is not None]
    places: dict[str, dict[str, None]] = {}
    for cell, baseline in measured:
        mixed = len({other for each, other in measured if each.task == cell.task}) > 1
        places.setdefault(baseline, {})[f"{cell.task} {cell.variant}" if mixed else cell.task] = None
    names = sorted(places, key=lambda name: name != "random")
    where = {name: f" in {', '.join(places[name])}" if len(places) > 1 and name != "random" else "" for name in names}
    words = "; ".join(f"{_BASELINES.get(name, _words(name))}{where[name]}" for name in names)
    return escape(CAPTION.format(words)) if words else None


def _baseline(cell: CellResult) -> str:
    return cell.transfer.baseline if cell.transfer else "random"


def print_ranking(ranking: Mapping[str, Any], console: Console) -> None:
    """Print rank and score of each mapper with each number, the best with the first number first."""
    numbers: dict[str, dict[str, Any]] = {
        name: {row["mapper"]: row for row in rows} for name, rows in ranking["scores"].items()
    }
    table = Table(title="Rank and score, with 95 % confidence intervals", title_justify="left")
    for column in ("mapper", *numbers):
        table.add_column(column, overflow="fold")
    for mapper in dict.fromkeys(mapper for rows in numbers.values() for mapper in rows):
        table.add_row(mapper, *(_ranked(rows.get(mapper)) for rows in numbers.values()))
    print_table(table, console)


def print_failed(failed: Sequence[CellResult], console: Console) -> None:
    """Print each cell that failed, with its reason."""
    for cell in failed:
        line = f"{cell.variant} {cell.pair} {cell.track} {cell.status}: {cell.reason}"
        console.print(line, style="red", highlight=False, markup=False)


def _ranked(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return "-"
    if row["score"] is None:
        return f"no rank: {escape(_words(row['reason']))}"
    rank = "control" if row["rank"] is None else rank_range(row["rank"])
    return f"{rank}: {row['score']:z.1f} ({row['low']:z.1f} to {row['high']:z.1f})"


def _costs(entry: Entry) -> Table:
    """Build a table of side effects by setting and condition: means over the cells that measured them."""
    effects = [
        (f"{setting}, {condition}", effect)
        for setting, conditions in side_effects(entry.cells).items()
        for condition, effect in conditions.items()
    ]
    tasks = sorted({task for _, effect in effects for task in effect["tasks"]})
    table = Table(title="Side effects: mean difference to unsteered, mean KL in nats", title_justify="left")
    for column in ("", *tasks, "KL", "perplexity, times", "cells"):
        table.add_column(escape(column), justify="left" if not column else "right", overflow="fold")
    for name, effect in effects:
        changes = [_figure(effect["tasks"].get(task), "+.3f") for task in tasks]
        others = [_figure(effect["kl"], ".3f"), _figure(effect["perplexity"], ".2f"), str(effect["cells"])]
        table.add_row(escape(name), *changes, *others)
    return table


def _figure(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _cell_row(cell: CellResult, shown: Sequence[str], gap: str) -> list[str]:
    fit = f"fit: {cell.track}" + (f", seed {cell.seed}" if cell.seed else "") + (" (check)" if cell.check else "")
    name = escape(f"{cell.task}\n  {cell.variant}\n  {cell.pair}\n  {fit}")
    if cell.status != "ok":
        return [name, *[""] * (len(shown) + 2), cell.status]
    return [
        name,
        *(_value_of(cell.rates.get(c), gap) for c in ("unsteered", _baseline(cell), *shown)),
        _transfer_of(cell.transfer, gap),
    ]


def _value_of(rate: Rate | None, gap: str) -> str:
    if rate is None:
        return "-"
    if rate.value is None:
        return f"-\n{escape(_words(rate.reason))}"
    return f"{rate.value:z.2f}\n{_limits((rate.low, rate.high), gap)}"


def _transfer_of(transfer: Transfer | None, gap: str) -> str:
    if transfer is None:
        return "-"
    if transfer.value is None:
        return f"-\n{escape(_words(transfer.reason))}"
    confidence, prediction = (_limits(each, gap) for each in (transfer.confidence, transfer.prediction))
    return f"{transfer.value:z.2f}\n{confidence}\n({prediction})"


def _limits(limits: Sequence[float | None] | None, gap: str) -> str:
    if limits is None:
        return "no limits"
    return f"{limits[0]:z.2f} to{gap}{limits[1]:z.2f}"


def _words(reason: str | None) -> str:
    return (reason or "none").replace("_", " ")


def _scores(entry: Entry) -> Iterator[str]:
    """Yield both numbers with their parts, then the scores of the tasks on each fit track."""
    head = entry.headline
    yield f"Scores, 100 being as good as native; {head.n_steerable} of {head.n_cells} cells can be steered."
    yield "In brackets: 95 % confidence interval; 95 % of what a mapper of random vectors would score"
    for number, (row,) in ranking_of_runs([entry])["scores"].items():
        yield f"  {number}: {_score(row)}"
        for part in ("behaviour", "pair"):
            if len(row[f"by_{part}"]) > 1:
                yield f"    by {part}: {_parts(row[f'by_{part}'])}"
    for track, scores in head.by_track.items():
        by_task = {task: score.model_dump() for task, score in scores.by_task.items()}
        yield f"  fit track {track}, by task: {_parts(by_task)}"


def _parts(scores: Mapping[str, Mapping[str, Any]]) -> str:
    return "; ".join(f"{_words(name)} {_score(score)}" for name, score in scores.items())


def _score(score: Mapping[str, Any]) -> str:
    if score["score"] is None:
        return f"none, for {_words(score['reason'])}"
    value, low, high, null_low, null_high = (f"{score[name]:z.1f}" for name in FIGURES)
    luck = "" if null_low == null_high else f"; random {null_low} to {null_high}"  # a single baseline has none
    return f"{value} ({low} to {high}{luck})"
