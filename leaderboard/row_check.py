"""Compare an entry with the rows stored with it: bits, parts of success, strengths, examples."""

from collections.abc import Iterator
from pathlib import Path

from graftbench.benchmark.core.names import cell_name
from graftbench.benchmark.results.column_summary import CellRows
from graftbench.benchmark.results.row_columns import RowColumns
from graftbench.benchmark.results.schema import CellResult, Entry, Rate
from graftbench.benchmark.results.stored_rows import read_table
from graftbench.benchmark.results.summary import SuccessParts

_NEAR = 1e-4  # figures have four decimals


def row_mismatches(entry: Entry, path: Path) -> list[str]:
    """Return where the cells of an entry do not follow from its rows, in one sentence each. UserError without rows."""
    columns = RowColumns(read_table(path))
    mismatches = []
    for cell in (cell for cell in entry.cells if cell.status == "ok"):
        rows = CellRows(columns, columns.of_cell((cell.task, cell.variant, cell.pair), cell.track, cell.seed))
        name = cell_name(cell.task, cell.variant, cell.pair, cell.track, cell.seed)
        mismatches += [f"{name}: {mismatch}" for mismatch in _cell_mismatches(cell, rows)]
    return mismatches


def _cell_mismatches(cell: CellResult, rows: CellRows) -> Iterator[str]:
    if len(cell.prompt_ids) != len(cell.clusters):
        yield "prompts and clusters differ in number"
        return
    try:
        scored = rows.split("test").scored_everywhere()
    except RuntimeError as error:
        yield str(error)
        return
    if scored != set(cell.prompt_ids):
        yield "the prompts that count are not those of its rows"
        return
    yield from _summary_mismatches(cell, rows)
    yield from _validation_mismatches(cell, rows)


def _summary_mismatches(cell: CellResult, rows: CellRows) -> Iterator[str]:
    ids, test = cell.prompt_ids, rows.split("test").of_prompts(cell.prompt_ids)
    clean, groups = rows.clean_replies(ids), test.first_groups()
    present = test.conditions
    for name in sorted({*cell.bits, *present}):
        if cell.bits.get(name) != (test.of(name).bits(ids) if name in present else None):
            yield f"the bits of {name} are not those of its rows"
        elif name in cell.rates:
            yield from _rate_mismatches(name, cell.rates[name], test.of(name).parts(clean, groups))
    if cell.sweep and cell.sweep != rows.split("validation").sweep():
        yield "the strengths that were tried are not those of its rows"
    if cell.examples and cell.examples != test.examples(ids):
        yield "the examples are not those of its rows"


def _rate_mismatches(name: str, rate: Rate, of_rows: SuccessParts) -> Iterator[str]:
    for part in ("gone", "good", "equal_clean"):
        value = getattr(of_rows, part)
        if value is not None and _differ(getattr(rate, part), value):
            yield f"rates.{name}.{part} is {getattr(rate, part)}, and the rows say {value:.4f}"
    for part in ("marks", "groups"):
        mine, theirs = getattr(rate, part), getattr(of_rows, part)
        for key in sorted({*mine, *theirs}):
            if _differ(mine.get(key), theirs.get(key)):
                yield f"rates.{name}.{part}.{key} is {mine.get(key)}, and the rows say {theirs.get(key)}"


def _validation_mismatches(cell: CellResult, rows: CellRows) -> Iterator[str]:
    """Compare the number of validation prompts, and the strength that native was run at."""
    prompts, strengths = rows.split("validation").items, rows.split("test").of("native").strengths
    if (prompts or strengths or cell.sweep) and cell.n_validation != len(prompts):
        yield f"n_validation is {cell.n_validation}, and the rows say {len(prompts)}"
    if strengths - {cell.strength}:  # rows of ablated directions have none
        yield f"the strength is {cell.strength}, and the rows of native say otherwise"


def _differ(stated: float | None, of_rows: float | None) -> bool:
    if stated is None or of_rows is None:
        return stated is not of_rows
    return abs(stated - of_rows) > _NEAR
