"""Compare an entry with the rows stored with it: bits, parts of success, strengths, examples."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from graftbench.benchmark.core.names import cell_name
from graftbench.benchmark.results.rows import Answer, scored_everywhere
from graftbench.benchmark.results.schema import CellResult, Entry, Rate
from graftbench.benchmark.results.stored_rows import (
    answer_of_row,
    is_of_cell,
    read_rows,
    row_numbers_by_experiment,
    summary_of,
)
from graftbench.benchmark.results.summary import SuccessParts, Summary

_NEAR = 1e-4  # figures have four decimals


def row_mismatches(entry: Entry, path: Path) -> list[str]:
    """Return where the cells of an entry do not follow from its rows, in one sentence each. UserError without rows."""
    rows = read_rows(path)
    numbers, answers_of_all = row_numbers_by_experiment(rows), [answer_of_row(row) for row in rows]
    mismatches = []
    for cell in (cell for cell in entry.cells if cell.status == "ok"):
        of_experiment = numbers.get((cell.task, cell.variant, cell.pair), [])
        answers = [answers_of_all[i] for i in of_experiment if is_of_cell(rows[i], cell.track, cell.seed)]
        name = cell_name(cell.task, cell.variant, cell.pair, cell.track, cell.seed)
        mismatches += [f"{name}: {mismatch}" for mismatch in _cell_mismatches(cell, answers)]
    return mismatches


def _cell_mismatches(cell: CellResult, answers: Sequence[Answer]) -> Iterator[str]:
    if len(cell.prompt_ids) != len(cell.clusters):
        yield "prompts and clusters differ in number"
        return
    try:
        scored = scored_everywhere([answer for answer in answers if answer.split == "test"])
    except RuntimeError as error:
        yield str(error)
        return
    if scored != set(cell.prompt_ids):
        yield "the prompts that count are not those of its rows"
        return
    clusters = dict(zip(cell.prompt_ids, cell.clusters, strict=True))
    yield from _summary_mismatches(cell, summary_of(answers, cell.prompt_ids, clusters))
    yield from _validation_mismatches(cell, answers)


def _summary_mismatches(cell: CellResult, summary: Summary) -> Iterator[str]:
    for name in sorted({*cell.bits, *summary.bits}):
        if cell.bits.get(name) != summary.bits.get(name):
            yield f"the bits of {name} are not those of its rows"
        elif name in cell.rates:
            yield from _rate_mismatches(name, cell.rates[name], summary.parts[name])
    if cell.sweep and cell.sweep != summary.sweep:
        yield "the strengths that were tried are not those of its rows"
    if cell.examples and cell.examples != summary.examples:
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


def _validation_mismatches(cell: CellResult, answers: Sequence[Answer]) -> Iterator[str]:
    """Compare the number of validation prompts, and the strength that native was run at."""
    prompts = {a.item for a in answers if a.split == "validation"}
    strengths = {a.strength for a in answers if a.split == "test" and a.condition == "native"} - {None}
    if (prompts or strengths or cell.sweep) and cell.n_validation != len(prompts):
        yield f"n_validation is {cell.n_validation}, and the rows say {len(prompts)}"
    if strengths - {cell.strength}:  # rows of ablated directions have none
        yield f"the strength is {cell.strength}, and the rows of native say otherwise"


def _differ(stated: float | None, of_rows: float | None) -> bool:
    if stated is None or of_rows is None:
        return stated is not of_rows
    return abs(stated - of_rows) > _NEAR
