"""Whether an entry is what the rows say that were stored with it: bits, parts of success, strengths, examples."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from graftbench.benchmark.results.answers import Answer, scored_everywhere
from graftbench.benchmark.results.schema import CellResult, Entry, Rate
from graftbench.benchmark.results.stored_rows import answer_of_row, groups_of, of_cell, stored_rows, summary_of
from graftbench.benchmark.results.summary import SuccessParts, Summary

_NEAR = 1e-4  # figures have four decimals


def apart_from_rows(entry: Entry, path: Path) -> list[str]:
    """Where the cells of an entry are not what its rows say, in one sentence each. UserError where there are none."""
    rows = stored_rows(path)
    groups = groups_of(rows)
    found = []
    for cell in (cell for cell in entry.cells if cell.status == "ok"):
        these = [rows[i] for i in groups.get((cell.task, cell.variant, cell.pair), [])]
        answers = [answer_of_row(row) for row in of_cell(these, cell.track, cell.seed)]
        name = f"{cell.task} {cell.variant} {cell.pair} {cell.track} seed {cell.seed}"
        found += [f"{name}: {what}" for what in _apart(cell, answers)]
    return found


def _apart(cell: CellResult, answers: Sequence[Answer]) -> Iterator[str]:
    test = [a for a in answers if a.split == "test"]
    if len(cell.prompt_ids) != len(cell.clusters):
        yield "prompts and clusters differ in number"
        return
    try:
        counted = scored_everywhere(test)
    except RuntimeError as error:
        yield str(error)
        return
    if counted != set(cell.prompt_ids):
        yield "the prompts that count are not those of its rows"
    else:
        yield from _of_summary(
            cell, summary_of(answers, cell.prompt_ids, dict(zip(cell.prompt_ids, cell.clusters, strict=True)))
        )
        yield from _chosen(cell, answers)


def _of_summary(cell: CellResult, summary: Summary) -> Iterator[str]:
    for name in sorted({*cell.bits, *summary.bits}):
        if cell.bits.get(name) != summary.bits.get(name):
            yield f"the bits of {name} are not those of its rows"
        elif name in cell.rates:
            yield from _parts(name, cell.rates[name], summary.parts[name])
    if cell.sweep and cell.sweep != summary.sweep:
        yield "the strengths that were tried are not those of its rows"
    if cell.examples and cell.examples != summary.examples:
        yield "the examples are not those of its rows"


def _parts(name: str, told: Rate, found: SuccessParts) -> Iterator[str]:
    for part in ("gone", "good", "equal_clean"):
        value = getattr(found, part)
        if value is not None and _differ(getattr(told, part), value):
            yield f"rates.{name}.{part} is {getattr(told, part)}, and the rows say {value:.4f}"
    for part in ("marks", "groups"):
        mine, theirs = getattr(told, part), getattr(found, part)
        for key in sorted({*mine, *theirs}):
            if _differ(mine.get(key), theirs.get(key)):
                yield f"rates.{name}.{part}.{key} is {mine.get(key)}, and the rows say {theirs.get(key)}"


def _chosen(cell: CellResult, answers: Sequence[Answer]) -> Iterator[str]:
    """What was chosen on validation prompts: how many there were, and the strength that native was run at."""
    tried = {a.item for a in answers if a.split == "validation"}
    strengths = {a.strength for a in answers if a.split == "test" and a.condition == "native"} - {None}
    if (tried or strengths or cell.sweep) and cell.n_validation != len(tried):
        yield f"n_validation is {cell.n_validation}, and the rows say {len(tried)}"
    if strengths - {cell.strength}:  # where directions are added, rows have none
        yield f"the strength is {cell.strength}, and the rows of native say otherwise"


def _differ(told: float | None, found: float | None) -> bool:
    if told is None or found is None:
        return told is not found
    return abs(told - found) > _NEAR
