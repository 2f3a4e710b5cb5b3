"""Whether the bits of an entry, and the parts of success, are those of the rows that were stored with it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from graftbench.benchmark.errors import UserError

from .schema import Cell, Entry

_GROUP = ("task", "variant", "pair")
_COLUMNS = (*_GROUP, "track", "seed", "split", "item", "condition", "draw", "gone", "good", "success")
_NEAR = 1e-4  # figures have four decimals


@dataclass(frozen=True)
class _Mark:
    """What is stored of one answer."""

    gone: bool | None
    good: bool | None
    success: bool | None


Marks = dict[str, dict[int, dict[str, _Mark]]]  # condition -> draw -> prompt


def apart_from_rows(entry: Entry, path: Path) -> list[str]:
    """Where the cells of an entry are not what its rows say, in one sentence each."""
    by_group: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in _read(path):
        by_group.setdefault(tuple(row[name] for name in _GROUP), []).append(row)
    found = []
    for cell in entry.cells:
        rows = by_group.get((cell.task, cell.variant, cell.pair), [])
        name = f"{cell.task} {cell.variant} {cell.pair} {cell.track} seed {cell.seed}"
        found += [f"{name}: {what}" for what in _apart(cell, rows)]
    return found


def _read(path: Path) -> list[dict[str, Any]]:
    try:
        return pq.read_table(path, columns=list(_COLUMNS), filters=[("split", "=", "test")]).to_pylist()
    except (OSError, pa.ArrowInvalid) as error:
        raise UserError(f"{path} cannot be read: {str(error).splitlines()[0]}.") from error


def _apart(cell: Cell, rows: list[dict[str, Any]]) -> Iterator[str]:
    marks = _marks(cell, rows)
    for name, draws in cell.bits.items():
        stored = [marks.get(name, {})[draw] for draw in sorted(marks.get(name, {}))]
        if any(m.success != _success(m) for draw in stored for m in draw.values()):
            yield f"the rows of {name} call something success that is not gone and good"
        elif [[int(bool(_of(draw, item).success)) for item in cell.prompt_ids] for draw in stored] != draws:
            yield f"the bits of {name} are not those of its rows"
        else:
            yield from _parts(cell, name, stored)


def _marks(cell: Cell, rows: list[dict[str, Any]]) -> Marks:
    """The answers of a cell's own, after those that it shares with others."""
    found: Marks = {}
    mine = [row for row in rows if row["track"] is None or (row["track"], row["seed"]) == (cell.track, cell.seed)]
    for row in sorted(mine, key=lambda row: row["track"] is not None):
        draws = found.setdefault(row["condition"], {})
        draws.setdefault(row["draw"], {})[row["item"]] = _Mark(row["gone"], row["good"], row["success"])
    return found


def _of(draw: dict[str, _Mark], item: str) -> _Mark:
    return draw.get(item, _Mark(None, None, None))


def _success(mark: _Mark) -> bool | None:
    return None if mark.gone is None or mark.good is None else mark.gone and mark.good


def _parts(cell: Cell, name: str, stored: list[dict[str, _Mark]]) -> Iterator[str]:
    these = [_of(draw, item) for draw in stored for item in cell.prompt_ids]
    for part in ("gone", "good"):
        told, found = getattr(cell.rates[name], part), sum(bool(getattr(m, part)) for m in these) / len(these)
        if told is None or abs(told - found) > _NEAR:
            yield f"rates.{name}.{part} is {told}, and the rows say {found:.4f}"
