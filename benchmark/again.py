"""Some cells of an entry run again, to see whether what it says comes out."""

import random
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

MOST_APART = 0.02  # of the bits of a condition: another kind of CPU may turn a token


@dataclass(frozen=True)
class Again:
    """One cell that was run again: of how many bits how many are others, and where too many are."""

    name: str
    bits: int
    others: int
    wrong: tuple[str, ...]

    @property
    def told(self) -> str:
        """The result in one line."""
        if self.wrong:
            return f"{self.name}: {'; '.join(self.wrong)}"
        return f"{self.name}: {self.others} of {self.bits} bits are others"


def run_again(
    entry: Entry, suite: Suite, kept: Path, n: int, *, trust: bool, out: Path, console: Console, seed: int | None = None
) -> list[Again]:
    """Run a random sample of an entry's cells again; `kept` is where the source of a submitted mapper lies.

    UserError where the mapper is not here, is another one, or is source that nobody said to trust.
    """
    spec = MapperSpec(_source(entry, kept, trust), tuple(sorted(entry.mapper.options.items())))
    found = find(spec)
    if found.sha256 != entry.mapper.sha256:
        raise UserError(f"The mapper {spec.source} that is here is not the one of the entry: their sources differ.")
    there = {cell_name(cell): cell for cell in entry.cells if cell.status == "ok"}
    chosen = random.Random(seed).sample(sorted(there), min(n, len(there)))
    first = min(cell.seed for cell in entry.cells)
    batch = int(entry.environment.get("batch_size", "256"))
    request = Request(suite=suite, mapper=spec, only=tuple(chosen), seed=first, batch_size=batch, out=out)
    done = run(request, console)
    return [_compared(there[cell_name(cell)], cell) for cell in done.entry.cells]


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


def _compared(told: Cell, found: Cell) -> Again:
    name = cell_name(told)
    if found.status != "ok":
        return Again(name, 0, 0, (f"it {found.status} now: {found.reason}",))
    if told.prompt_ids != found.prompt_ids:
        return Again(name, 0, 0, ("its prompts are others now",))
    wrong, bits, others = [], 0, 0
    for condition in sorted({*told.bits, *found.bits}):
        one, other = (list(chain(*cell.bits.get(condition, []))) for cell in (told, found))
        apart = sum(a != b for a, b in zip(one, other, strict=False)) + abs(len(one) - len(other))
        bits, others = bits + len(one), others + apart
        if apart > MOST_APART * len(one):
            wrong.append(f"{apart} of {len(one)} bits of {condition} are others now")
    return Again(name, bits, others, tuple(wrong))
