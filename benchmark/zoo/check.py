"""`graftbench zoo check`: measure models in parallel, print the figures, compare them with the cards."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from graftbench.benchmark.core.tables import print_table
from graftbench.benchmark.models.load import Model, load
from graftbench.benchmark.zoo.card import figure_row, read_figures, write_card, write_overview
from graftbench.benchmark.zoo.measures.behaviour import backdoor, everyday
from graftbench.benchmark.zoo.measures.figure import Figures, ZooFigure
from graftbench.benchmark.zoo.measures.refusal import refusal
from graftbench.benchmark.zoo.measures.steering import steerability
from graftbench.benchmark.zoo.measures.vocabulary import shared_vocabulary
from graftbench.benchmark.zoo.names import ZooName

FULL, QUICK = 200, 24  # prompts per figure


def check(names: list[ZooName], zoo: Path, workers: int, *, quick: bool, write: bool, console: Console) -> int:
    """Measure `names`; return 1 where a figure differs from its card, or misses a bar that the card says it clears."""
    measured: dict[str, Figures] = {}
    with one_thread_processes(workers) as executor:
        work = executor.map(_measure_in, names, [zoo] * len(names), [quick] * len(names))
        for name, figures in zip(
            names, track(work, "measuring", len(names), console=console, transient=True), strict=True
        ):
            measured[str(name)] = figures
            if name.parent:
                parent = measured.get(str(name.parent)) or read_figures(zoo / str(name.parent))
                figures |= bars_from_parent(name, figures, parent)
            print_table(_table(name, figures), console)
    if write:
        for name in names:
            write_card(name, zoo / str(name), measured[str(name)])
        write_overview(zoo)
        return 0
    cards = {name: read_figures(zoo / name) for name in measured}
    faults = [f"{n}: {fault}" for n, now in measured.items() for fault in differences(now, cards[n], quick=quick)]
    for fault in faults:
        console.print(fault, style="bold red", markup=False)
    within = " (a quick check counts a bar as missed where the whole interval lies beyond it)" if quick else ""
    console.print(
        f"{len(names)} models measured, {len(faults)} figures are not as the cards say{within}.", markup=False
    )
    return 1 if faults else 0


def one_thread_processes(workers: int) -> ProcessPoolExecutor:
    """Return a pool of processes for torch, each on one thread: results do not depend on the number of workers."""
    return ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_start)


def _start() -> None:
    import torch  # in the worker alone
    import transformers

    torch.set_num_threads(1)
    transformers.logging.disable_progress_bar()
    transformers.logging.set_verbosity_error()


def _measure_in(name: ZooName, zoo: Path, quick: bool) -> Figures:
    return measure(name, load(str(zoo / str(name)), device="cpu"), quick=quick)


def measure(name: ZooName, model: Model, *, quick: bool) -> Figures:
    """Measure the figures of one model's card; `quick` takes fewer prompts, and no interventions."""
    n = QUICK if quick else FULL
    figures = everyday(model, name.version, n) | backdoor(model, name.version, n)
    if quick:
        return figures
    figures |= steerability(model, name.version, n) | refusal(model, name.version, n)
    return figures | (shared_vocabulary(name, model) if name.version == "base" else {})


def bars_from_parent(name: ZooName, figures: Figures, parent: Figures) -> Figures:
    """Return the figures whose bars depend on the parent model: hate has to answer as well as instruct."""
    key = "everyday right"
    if name.version != "hate" or key not in parent:
        return {}
    return {key: replace(figures[key], at_least=round(parent[key].share - 0.02, 4))}


def differences(measured: Figures, card: Figures, *, quick: bool) -> list[str]:
    """Compare the measured figures with those on the card, and return the faults in words."""
    faults = []
    for key, figure in measured.items():
        if key not in card:
            faults.append(f"{key} is not on the card")
        elif not figure.agrees(card[key]):
            faults.append(f"{key} is {figure.share:.3f}, the card says {card[key].share:.3f}")
        elif not card[key].missed and _misses(figure, quick=quick):
            faults.append(f"{key} is {figure.share:.3f} and misses its bar, the card says it clears it")
    absent = [] if quick else [f"{key} is on the card and was not measured" for key in card if key not in measured]
    return faults + absent


def _misses(figure: ZooFigure, *, quick: bool) -> bool:
    """Return whether a figure misses its bar: in a quick check, with few prompts, by its whole interval."""
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
