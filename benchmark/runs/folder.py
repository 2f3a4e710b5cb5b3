"""A run as a folder: its entry, its rows, its suite, its timings."""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.files import write_text
from graftbench.benchmark.results.entry_files import entry_text
from graftbench.benchmark.results.schema import CellResult, Entry
from graftbench.benchmark.runs.suite import SUITE, Suite

if TYPE_CHECKING:
    import pyarrow as pa

ENTRY, ROWS, LEADERBOARD, TIMINGS = "entry.json", "rows.parquet", "leaderboard.json", "timings.json"
MAPPERS = "mappers"  # the folder of fitted mappers


@dataclass(frozen=True)
class FinishedRun:
    """A finished run: its entry, and its folder."""

    entry: Entry
    folder: Path

    @property
    def failed(self) -> list[CellResult]:
        """The cells without a result: those that failed, and those that ran out of time."""
        return [cell for cell in self.entry.cells if cell.status != "ok"]


@dataclass(frozen=True)
class Timings:
    """Seconds that the run, the references that cells share and their side effects, and the cells took, by name."""

    run: Mapping[str, float]
    references: Mapping[str, float]
    cells: Mapping[str, Mapping[str, float]]
    reference_side_effects: Mapping[str, float]


def entry_in(run: Path) -> Path:
    """Return the path of the entry in a run's folder; UserError, with what to name instead, where it has none."""
    path = run / ENTRY
    if not os.path.lexists(path):
        raise UserError(f"{run} holds no {ENTRY}: name the folder of a run, as `graftbench score` wrote it.")
    return path


def suite_text(suite: Suite) -> str:
    """Return a suite as the text of its file in a run folder."""
    return suite.model_dump_json(indent=1) + "\n"


def write_run(folder: Path, suite: Suite, entry: Entry, tables: "Iterable[pa.Table]", timings: Timings | None) -> None:
    """Write the files of a run folder, each atomically; a run that was judged again has no timings of its own."""
    from graftbench.benchmark.results.rows import write_rows  # brings pyarrow, which those who only read do without

    write_text(folder / SUITE, suite_text(suite))
    write_rows(folder / ROWS, tables)
    if timings is not None:
        write_text(folder / TIMINGS, json.dumps(vars(timings), indent=1) + "\n")
    write_text(folder / ENTRY, entry_text(entry))
