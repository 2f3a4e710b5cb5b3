"""`graftbench zoo check`: measure models, print the figures, compare them with the cards."""

from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from graftbench.benchmark.models.load import load
from graftbench.benchmark.zoo.card import figure_row, read_figures, write_card, write_overview
from graftbench.benchmark.zoo.measures.all import bars_from_parent, measure
from graftbench.benchmark.zoo.measures.figure import Figures, ZooFigure
from graftbench.benchmark.zoo.names import ZooName
from graftbench.benchmark.zoo.training.workers import pool


def check(names: list[ZooName], zoo: Path, workers: int, *, quick: bool, write: bool, console: Console) -> int:
    """Measure `names`; 1 where a figure differs from its card, or misses a bar that the card does not list."""
    measured: dict[str, Figures] = {}
    with pool(workers) as executor:
        work = executor.map(_measured, names, [zoo] * len(names), [quick] * len(names))
        for name, figures in zip(
            names, track(work, "measuring", len(names), console=console, transient=True), strict=True
        ):
            measured[str(name)] = figures
            if name.parent:
                parent = measured.get(str(name.parent)) or read_figures(zoo / str(name.parent))
                figures |= bars_from_parent(name, figures, parent)
            console.print(_table(name, figures))
    if write:
        for name in names:
            write_card(name, zoo / str(name), measured[str(name)])
        write_overview(zoo)
        return 0
    cards = {name: read_figures(zoo / name) for name in measured}
    faults = [f"{n}: {fault}" for n, found in measured.items() for fault in differences(found, cards[n], quick=quick)]
    for fault in faults:
        console.print(fault, style="bold red", markup=False)
    within = " (a quick check counts a bar as missed where the whole interval lies beyond it)" if quick else ""
    console.print(
        f"{len(names)} models measured, {len(faults)} figures are not as the cards say{within}.", markup=False
    )
    return 1 if faults else 0


def _measured(name: ZooName, zoo: Path, quick: bool) -> Figures:
    return measure(name, load(str(zoo / str(name)), device="cpu"), quick=quick)


def differences(measured: Figures, card: Figures, *, quick: bool) -> list[str]:
    """What is wrong with the figures measured, in words, beside those on the card."""
    found = []
    for key, figure in measured.items():
        if key not in card:
            found.append(f"{key} is not on the card")
        elif not figure.agrees(card[key]):
            found.append(f"{key} is {figure.share:.3f}, the card says {card[key].share:.3f}")
        elif not card[key].missed and _misses(figure, quick=quick):
            found.append(f"{key} is {figure.share:.3f} and misses its bar, the card says it clears it")
    absent = [] if quick else [f"{key} is on the card and was not measured" for key in card if key not in measured]
    return found + absent


def _misses(figure: ZooFigure, *, quick: bool) -> bool:
    """Few prompts miss a bar by chance: a quick check counts a miss where the whole interval lies beyond the bar."""
    if not quick:
        return figure.missed
    low, high = figure.interval
    too_low = figure.at_least is not None and high < figure.at_least
    return too_low or (figure.at_most is not None and low > figure.at_most)


def _table(name: ZooName, figures: Figures) -> Table:
    table = Table("figure", "share", "interval", "count", "bar", "", title=str(name), title_justify="left")
    for key, figure in figures.items():
        table.add_row(*figure_row(key, figure), style="red" if figure.missed else None)
    return table
