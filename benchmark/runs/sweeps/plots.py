"""Figures of sweeps: one panel for each, in two columns."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

COLUMNS = 2


@contextmanager
def panels(n: int, path: Path) -> Iterator[Sequence[Any]]:
    """`n` panels of success rates to draw into, written to `path` as a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    n_rows = -(-n // COLUMNS)
    figure = Figure(figsize=(5 * COLUMNS, 3 * n_rows), layout="constrained")
    FigureCanvasAgg(figure)
    axes = [figure.add_subplot(n_rows, COLUMNS, i + 1) for i in range(n)]
    yield axes
    for each in axes:
        each.set(ylabel="success", ylim=(-0.03, 1.03))
        each.legend(fontsize="small")
    figure.savefig(path, format="png", dpi=120)
