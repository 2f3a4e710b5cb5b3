"""`graftbench zoo check`: measure models, print the figures, compare them with the cards."""

from pathlib import Path

import torch
import transformers
from rich.console import Console
from rich.progress import track
from rich.table import Table

from .card import figure_row, read_figures, write_card, write_overview
from .loading import load
from .measures.all import measure
from .measures.figure import Figure, Figures
from .names import Name


def check(names: list[Name], zoo: Path, threads: int, *, quick: bool, write: bool, console: Console) -> int:
    """Measure `names`; 1 where a figure differs from its card, or misses a bar that the card does not list."""
    torch.set_num_threads(threads)
    transformers.logging.disable_progress_bar()
    faults: list[str] = []
    for name in track(names, "measuring", console=console, transient=True):
        folder = zoo / str(name)
        parent = read_figures(zoo / str(name.parent)) if name.parent else None
        figures = measure(name, load(folder), parent, quick=quick)
        console.print(_table(name, figures))
        if write:
            write_card(name, folder, figures)
            write_overview(zoo)
        else:
            faults += [f"{name}: {fault}" for fault in differences(figures, read_figures(folder), quick=quick)]
    for fault in faults:
        console.print(fault, style="bold red", markup=False)
    return 1 if faults else 0


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


def _misses(figure: Figure, *, quick: bool) -> bool:
    """Few prompts miss a bar by chance: a quick check counts a miss where the whole interval lies beyond the bar."""
    if not quick:
        return figure.missed
    low, high = figure.interval
    too_low = figure.at_least is not None and high < figure.at_least
    return too_low or (figure.at_most is not None and low > figure.at_most)


def _table(name: Name, figures: Figures) -> Table:
    table = Table("figure", "share", "interval", "count", "bar", "", title=str(name), title_justify="left")
    for key, figure in figures.items():
        table.add_row(*figure_row(key, figure), style="red" if figure.missed else None)
    return table
