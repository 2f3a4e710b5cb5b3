"""Cells of an entry beside the figures that Oozeer et al. (2025) published for the same models."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.files import is_file
from graftbench.benchmark.core.names import split_pair
from graftbench.benchmark.results.schema import CellResult, Entry
from graftbench.benchmark.runs.suite import SUITE, Suite, read_suite_file
from graftbench.leaderboard.own_figures import Ours, over_seeds, own_figure
from graftbench.leaderboard.published import Published, PublishedFigure
from graftbench.leaderboard.suites import suite_file
from graftbench.leaderboard.verify import in_leaderboard

TRACK = "task"  # the paper's mappers are fitted on the task's own data
# The paper's mapped vector has its own length; ours is scored at the native one's, and at its own as well.
CONDITIONS = {"mapped": ("mapped", "mapped_own_norm")}


@dataclass(frozen=True)
class Row:
    """A published figure, and ours under a condition."""

    figure: PublishedFigure
    condition: str
    ours: Ours


@dataclass(frozen=True)
class CellComparison:
    """A cell of the run whose models the paper has too: rows, and published figures without one of ours."""

    task: str
    variant: str
    pair: str
    models: str  # by the paper's names
    rows: tuple[Row, ...]
    without: tuple[PublishedFigure, ...]


@dataclass(frozen=True)
class Comparison:
    """Cells beside published figures, and the published figures whose cells the run does not have."""

    cells: tuple[CellComparison, ...]
    absent: tuple[PublishedFigure, ...]


def suite_of(path: Path, entry: Entry) -> Suite:
    """Return the suite of an entry's file, which says where its models are from; UserError where it is not there."""
    folder = path.resolve().parent.parent
    file = suite_file(folder, entry.suite.name) if in_leaderboard(path, folder) else path.with_name(SUITE)
    if not is_file(file):
        raise UserError(
            f"{path} names its models by family alone, and there is no {file} that says which they are: name the "
            "folder of the run."
        )
    suite = read_suite_file(file)
    if suite.hash != entry.suite.hash:
        raise UserError(f"{file} is not the suite of {path}: its hash is {suite.hash}, not {entry.suite.hash}.")
    return suite


def short_names(suite: Suite, published: Published) -> dict[str, str]:
    """Return the paper's name of each family of a suite in which one of its models, and no other of them, is named."""
    of_id = {each.casefold(): name for name, ids in published.models.items() for each in ids}
    names: dict[str, str] = {}
    for family, versions in suite.models.items():
        ids = [spec.model.casefold() for spec in versions.values() if spec.model]
        known = {of_id[each] for each in ids if each in of_id}
        if len(known) == 1:
            names[family] = known.pop()
    return names


def compare(entry: Entry, suite: Suite, published: Published) -> Comparison:
    """Return the cells of an entry on the track `task` beside the published figures, and the figures left over."""
    names, figures = short_names(suite, published), list(published.figures)
    cells: list[CellComparison] = []
    for (task, variant, pair), seeds in _by_name(entry.cells).items():
        models = [names.get(family) for family in split_pair(pair)]
        of_cell = [figure for figure in figures if figure.is_of(task, variant, models[0], models[1])]
        if of_cell:
            rows = [row for figure in of_cell for row in _rows(figure, seeds, suite, published)]
            without = tuple(figure for figure in of_cell if figure not in {row.figure for row in rows})
            known = "->".join(name or "another model" for name in models)
            cells.append(CellComparison(task, variant, pair, known, tuple(rows), without))
    here = {figure for cell in cells for figure in (*(row.figure for row in cell.rows), *cell.without)}
    return Comparison(tuple(cells), tuple(figure for figure in figures if figure not in here))


def _by_name(cells: Sequence[CellResult]) -> dict[tuple[str, str, str], list[CellResult]]:
    """Group the cells with a result on the track `task` that are no checks; those of a group differ in the seed."""
    by_name: dict[tuple[str, str, str], list[CellResult]] = {}
    for cell in cells:
        if cell.status == "ok" and cell.track == TRACK and not cell.check:
            by_name.setdefault((cell.task, cell.variant, cell.pair), []).append(cell)
    return by_name


def _rows(figure: PublishedFigure, seeds: Sequence[CellResult], suite: Suite, published: Published) -> Iterator[Row]:
    """Yield the figures of ours that belong to a published one."""
    here = published.measures[figure.measure].here
    if here is None:
        return
    for condition in CONDITIONS.get(figure.condition, (figure.condition,)):
        ours = over_seeds([own_figure(cell, condition, here, suite) for cell in seeds])
        if ours is not None:
            yield Row(figure, condition, ours)
