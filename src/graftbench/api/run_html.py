"""An entry in a notebook: a table of its cells, and its scores. Everything is escaped."""

from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Environment

from graftbench.benchmark.results.schema import CellResult, Entry, Rate, Transfer
from graftbench.leaderboard.own_runs import ranking_of_runs

_PAGE = """<table style="text-align: right">
<caption style="text-align: left"><b>{{ entry.mapper.name }}</b> on {{ entry.suite.name }}: success and transfer with
95 % confidence intervals; of random vectors, and in brackets of the transfer, 95 % prediction intervals for a single
vector; {{ head.n_steerable }} of {{ head.n_cells }} cells can be steered</caption>
<thead><tr><th style="text-align: left">cell</th>
{% for column in columns %}<th>{{ column }}</th>{% endfor %}</tr></thead>
<tbody>
{% for name, figures in cells %}<tr><td style="text-align: left">{{ name }}</td>
{% for figure in figures %}<td>{{ figure }}</td>{% endfor %}</tr>
{% endfor %}</tbody></table>
<table style="text-align: left">
<caption style="text-align: left">Scores with 95 % confidence intervals: 100 is as good as the native vector, 0 no
better than the baseline; and what a mapper of random vectors would score in 95 % of cases</caption>
<thead><tr><th></th>{% for task in tasks %}<th>{{ task }}</th>{% endfor %}
<th>suite</th><th>random vectors</th></tr></thead>
<tbody>
{% for name, figures in scores %}<tr><td>{{ name }}</td>
{% for figure in figures %}<td>{{ figure }}</td>{% endfor %}</tr>
{% endfor %}</tbody></table>
"""
_SHOWN = ("mapped", "mapped_own_norm", "native")
_TEMPLATE = Environment(autoescape=True).from_string(_PAGE)
_Figure = Mapping[str, Any]


def html_of(entry: Entry) -> str:
    """Return the cells of an entry and its scores as two tables of HTML."""
    tasks = list(dict.fromkeys(cell.task for cell in entry.cells if not cell.check))
    return _TEMPLATE.render(
        entry=entry,
        head=entry.headline,
        columns=["unsteered", "baseline", *(name.replace("_", " ") for name in _SHOWN), "transfer"],
        cells=[(_name(cell), _figures(cell)) for cell in entry.cells],
        tasks=tasks,
        scores=_scores(entry, tasks),
    )


def _scores(entry: Entry, tasks: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Return both numbers by task and over the suite, and the scores of the tasks on each fit track."""
    rows = [
        (number, [*_by_task(row["by_task"], tasks), _score(row), _null_band(row)])
        for number, (row,) in ranking_of_runs([entry])["scores"].items()
    ]
    for track, scores in entry.headline.by_track.items():
        by_task = {task: score.model_dump() for task, score in scores.by_task.items()}
        rows.append((f"fit track {track}", [*_by_task(by_task, tasks), "", ""]))
    return rows


def _by_task(scores: Mapping[str, _Figure], tasks: Sequence[str]) -> list[str]:
    return [_score(scores[task]) if task in scores else "-" for task in tasks]


def _score(score: _Figure) -> str:
    if score["score"] is None:
        return f"none: {score['reason'] or 'unknown'}".replace("_", " ")
    return f"{score['score']:z.1f} ({score['low']:z.1f} to {score['high']:z.1f})"


def _null_band(score: _Figure) -> str:
    return "-" if score["score"] is None else f"{score['null_low']:z.1f} to {score['null_high']:z.1f}"


def _name(cell: CellResult) -> str:
    seed = f", seed {cell.seed}" if cell.seed else ""
    check = " (check)" if cell.check else ""
    return f"{cell.task}, {cell.variant}, {cell.pair}, fit: {cell.track}{seed}{check}"


def _figures(cell: CellResult) -> list[str]:
    if cell.status != "ok":
        return [cell.status, cell.reason or "", *[""] * (1 + len(_SHOWN))]
    baseline = cell.transfer.baseline if cell.transfer else "random"
    rates = [cell.rates.get(name) for name in ("unsteered", baseline, *_SHOWN)]
    return [*map(_rate, rates), _transfer(cell.transfer)]


def _rate(rate: Rate | None) -> str:
    if rate is None or rate.value is None:
        return _missing(rate)
    return f"{rate.value:z.2f} ({rate.low:z.2f} to {rate.high:z.2f})"


def _transfer(transfer: Transfer | None) -> str:
    if transfer is None or transfer.value is None or transfer.prediction is None:
        return _missing(transfer)
    low, high = transfer.prediction
    limits = "no limits" if transfer.confidence is None else "{:z.2f} to {:z.2f}".format(*transfer.confidence)
    return f"{transfer.value:z.2f}, {limits} ({low:z.2f} to {high:z.2f})"


def _missing(figure: Rate | Transfer | None) -> str:
    return "-" if figure is None else (figure.reason or "-").replace("_", " ")
