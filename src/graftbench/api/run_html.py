"""An entry in a notebook: a table of its cells, and its scores. Everything is escaped."""

from jinja2 import Environment

from graftbench.benchmark.results.schema import CellResult, Entry, Rate, Score, TaskScore, Transfer

_PAGE = """<table style="text-align: right">
<caption style="text-align: left"><b>{{ entry.mapper.name }}</b> on {{ entry.suite.name }}: success rates with 95 %
intervals; {{ head.n_steerable }} of {{ head.n_cells }} cells can be steered</caption>
<thead><tr><th style="text-align: left">cell</th>
{% for column in columns %}<th>{{ column }}</th>{% endfor %}</tr></thead>
<tbody>
{% for name, figures in cells %}<tr><td style="text-align: left">{{ name }}</td>
{% for figure in figures %}<td>{{ figure }}</td>{% endfor %}</tr>
{% endfor %}</tbody></table>
<table style="text-align: left">
<caption style="text-align: left">Scores: 100 is as good as the native vector, 0 no better than the baseline</caption>
<thead><tr><th>fit track</th>{% for task in tasks %}<th>{{ task }}</th>{% endfor %}<th>suite</th></tr></thead>
<tbody>
{% for name, figures in scores %}<tr><td>{{ name }}</td>
{% for figure in figures %}<td>{{ figure }}</td>{% endfor %}</tr>
{% endfor %}</tbody></table>
"""
_SHOWN = ("mapped", "mapped_own_norm", "native")
_TEMPLATE = Environment(autoescape=True).from_string(_PAGE)


def html_of(entry: Entry) -> str:
    """Return the cells of an entry and its scores as two tables of HTML."""
    head = entry.headline
    tasks = list(head.by_task)
    scores = {**head.by_track, "all cells": head}
    return _TEMPLATE.render(
        entry=entry,
        head=head,
        columns=["unsteered", "baseline", *(name.replace("_", " ") for name in _SHOWN), "transfer"],
        cells=[(_name(cell), _figures(cell)) for cell in entry.cells],
        tasks=tasks,
        scores=[(name, _scores(score, tasks)) for name, score in scores.items()],
    )


def _name(cell: CellResult) -> str:
    seed = f", seed {cell.seed}" if cell.seed else ""
    check = " (check)" if cell.check else ""
    return f"{cell.task}, {cell.variant}, {cell.pair}, fit: {cell.track}{seed}{check}"


def _figures(cell: CellResult) -> list[str]:
    if cell.status != "ok":
        return [cell.status, cell.reason or "", *[""] * (1 + len(_SHOWN))]
    baseline = cell.transfer.baseline if cell.transfer else "random"
    rates = [cell.rates.get(name) for name in ("unsteered", baseline, *_SHOWN)]
    return [*map(_figure, rates), _figure(cell.transfer)]


def _figure(figure: Rate | Transfer | None) -> str:
    if figure is None:
        return "-"
    if figure.value is None:
        return (figure.reason or "-").replace("_", " ")
    return f"{figure.value:z.2f} ({figure.low:z.2f} to {figure.high:z.2f})"


def _scores(score: Score, tasks: list[str]) -> list[str]:
    return [*(_score(score.by_task.get(task)) for task in tasks), _score(score)]


def _score(score: Score | TaskScore | None) -> str:
    if score is None:
        return "-"
    if score.score is None:
        return f"none: {score.reason or 'unknown'}".replace("_", " ")
    return f"{score.score:z.1f} ({score.low:z.1f} to {score.high:z.1f})"
