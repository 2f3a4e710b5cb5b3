"""Tables in a terminal: the cells and scores of an entry, and the ranking of a suite."""

from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from graftbench.benchmark.core.tables import print_table
from graftbench.benchmark.results.schema import CellResult, Entry
from graftbench.cli.cell_tables import asked_table, cells_table, words
from graftbench.leaderboard.columns import rank_range, side_effects
from graftbench.leaderboard.own_runs import ranking_of_runs

FIGURES = ("score", "low", "high", "null_low", "null_high")
_WITHIN = "\N{NO-BREAK SPACE}"  # for a blank within a part of a line, which stays whole
NARROW = 120  # columns of a terminal below which intervals take two lines, and the mapper's own norm is left out


def print_entry(entry: Entry, console: Console) -> None:
    """Print tables of the cells, the scores, and a table of side effects."""
    narrow = console.width < NARROW
    shown = ("mapped", "native") if narrow else ("mapped", "mapped_own_norm", "native")
    gap = "\n" if narrow else " "
    print_table(cells_table(entry, shown, gap), console)
    asked = asked_table(entry.cells, gap)
    if asked is not None:
        print_table(asked, console)
    for line in _scores(entry):
        console.print(_wrapped(line, console.width), highlight=False, markup=False, soft_wrap=True)
    costs = _costs(entry)
    if costs.row_count:
        print_table(costs, console)


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
        return f"no rank: {escape(words(row['reason']))}"
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
    scored = (f"{words(name)} {_score(score)}" for name, score in scores.items())
    return "; ".join(each.replace(" ", _WITHIN) for each in scored)


def _wrapped(line: str, width: int) -> str:
    """Break a line where it is wider than a terminal, between its parts, with a deeper indent from there on."""
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    lines = wrap(line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines).replace(_WITHIN, " ")


def _score(score: Mapping[str, Any]) -> str:
    if score["score"] is None:
        return f"none, for {words(score['reason'])}"
    value, low, high, null_low, null_high = (f"{score[name]:z.1f}" for name in FIGURES)
    luck = "" if null_low == null_high else f"; random {null_low} to {null_high}"  # a single baseline has none
    return f"{value} ({low} to {high}{luck})"
