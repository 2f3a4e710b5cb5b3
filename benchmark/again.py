"""Some cells of an entry run again, to see whether what it says comes out."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from rich.console import Console

from graftbench.leaderboard.schema import Cell, Entry

from .errors import UserError
from .mappers.finding import MapperSpec, find
from .plugins import comes_with, names
from .request import Request
from .run import run
from .suite import Suite

MOST_APART = 0.02  # of the bits of a condition, or of figures: another kind of CPU may turn a token
NEAR = 0.02  # as far as figures may move for that, relatively where they are above 1
FIGURES = {"fidelity", "side_effects", "cost"}


@dataclass(frozen=True)
class Again:
    """One cell that was run again: of how many bits and figures how many are others, and where too many are."""

    name: str
    bits: int = 0
    others: int = 0
    figures: int = 0
    moved: int = 0
    wrong: tuple[str, ...] = ()

    @property
    def told(self) -> str:
        """The result in one line."""
        if self.wrong:
            return f"{self.name}: {'; '.join(self.wrong)}"
        return f"{self.name}: {self.others} of {self.bits} bits and {self.moved} of {self.figures} figures are others"


def run_again(
    entry: Entry, suite: Suite, kept: Path, n: int, *, trust: bool, out: Path, console: Console, seed: int | None = None
) -> list[Again]:
    """Run a random sample of an entry's cells again, with nothing kept from before.

    `kept` is where the source of a submitted mapper lies. UserError where the mapper is not here, is another one, or is
    source that nobody said to trust.
    """
    spec = MapperSpec(_source(entry, kept, trust), tuple(sorted(entry.mapper.options.items())))
    found = find(spec)
    told = (entry.mapper.name, entry.mapper.sha256, entry.mapper.deterministic, entry.mapper.vector_rule)
    if told != (found.name, found.sha256, found.deterministic, found.vector_rule):
        raise UserError(f"The mapper {spec.source} that is here is not the one of the entry: score it again.")
    there = {cell_name(cell): cell for cell in entry.cells if cell.status == "ok"}
    chosen = random.Random(seed).sample(sorted(there), min(n, len(there)))
    batch = entry.environment.get("batch_size", "")
    if not batch.isdecimal() or int(batch) < 1:
        raise UserError(f"The entry of {entry.mapper.name} does not say how many rows it ran at a time.")
    request = Request(
        suite=suite, mapper=spec, only=tuple(chosen), batch_size=int(batch), out=out / "run", cache=out / "cache"
    )
    if not request.cells(found):
        raise UserError(f"None of these cells is planned for {entry.mapper.name}: {', '.join(chosen)}.")
    again = {cell_name(cell): cell for cell in run(request, console).entry.cells}
    return [_compared(there[name], again.get(name)) for name in chosen]


def cell_name(cell: Cell) -> str:
    """How a plan calls the cell."""
    seed = f" seed {cell.seed}" if cell.seed else ""
    return f"{cell.task} {cell.variant} {cell.pair} {cell.track}{seed}"


def _source(entry: Entry, kept: Path, trust: bool) -> str:
    source = entry.mapper.source
    if not entry.mapper.files:
        if source not in names("mappers"):
            raise UserError(f"The mapper {source} is not installed here, so it cannot be run again.")
        if not comes_with("mappers", source) and not trust:
            raise UserError(f"The mapper {source} comes from elsewhere: --trust-code runs it again.")
        return source
    if not trust:
        raise UserError(f"The source of {entry.mapper.name} in {kept} is somebody's: --trust-code runs it again.")
    path, _, name = source.rpartition(":")
    return f"{kept / Path(path).name}:{name}"


def _compared(told: Cell, found: Cell | None) -> Again:
    name = cell_name(told)
    if found is None:
        return Again(name, wrong=("it is not planned for this mapper",))
    if found.status != "ok":
        return Again(name, wrong=(f"it {found.status} now: {found.reason}",))
    if told.prompt_ids != found.prompt_ids or told.strength != found.strength:
        return Again(name, wrong=("its prompts or its strength are others now",))
    wrong, bits, others = [], 0, 0
    for condition in sorted({*told.bits, *found.bits}):
        one, other = (list(chain(*cell.bits.get(condition, []))) for cell in (told, found))
        apart = sum(a != b for a, b in zip(one, other, strict=False)) + abs(len(one) - len(other))
        bits, others = bits + len(one), others + apart
        if apart > MOST_APART * len(one):
            wrong.append(f"{apart} of {len(one)} bits of {condition} are others now")
    mine, theirs = (dict(_figures(cell.model_dump(include=FIGURES))) for cell in (told, found))
    moved = [where for where in sorted({*mine, *theirs}) if _moved(mine.get(where), theirs.get(where))]
    if len(moved) > MOST_APART * len(mine):
        wrong.append(f"{len(moved)} of {len(mine)} figures are others now, {moved[0]} among them")
    return Again(name, bits, others, len(mine), len(moved), tuple(wrong))


def _figures(record: object, where: str = "") -> Iterator[tuple[str, float]]:
    """Every number in a record, by where it stands."""
    if isinstance(record, Mapping):
        for name, one in record.items():
            yield from _figures(one, f"{where}.{name}" if where else str(name))
    elif isinstance(record, int | float) and not isinstance(record, bool):
        yield where, float(record)


def _moved(told: float | None, found: float | None) -> bool:
    return told is None or found is None or abs(told - found) > NEAR * max(1.0, abs(told))
