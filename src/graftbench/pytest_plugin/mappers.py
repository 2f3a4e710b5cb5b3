"""The mappers that a session under pytest scores, each with its cells."""

from collections.abc import Sequence
from dataclasses import dataclass

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.mappers.loading import MapperInfo, find, spec_of
from graftbench.benchmark.runs.plan import Cell
from graftbench.benchmark.runs.request import Request
from graftbench.benchmark.runs.suite import Suite, read_suite

BASELINE = "ridge"
CONTROLS = ("zero", "mean", "identity", "random_map", "shuffled", "lookup")


@dataclass(frozen=True)
class PlannedMapper:
    """A mapper with its cells; controls that come along without being asked for are held to no floor."""

    request: Request
    found: MapperInfo
    cells: tuple[Cell, ...]
    asked_for: bool

    @property
    def name(self) -> str:
        """How the mapper is called, as no other of the session."""
        return self.found.name


def contenders(mappers: Sequence[str], suite: str, tasks: Sequence[str]) -> list[PlannedMapper]:
    """The mappers that were named, or ridge and the controls. UserError where something named is not there."""
    asked, unasked = (list(dict.fromkeys(mappers)), ()) if mappers else ([BASELINE], CONTROLS)
    on = read_suite(suite)
    made = [_contender(on, source, tasks, asked_for=True) for source in asked]
    made += [_contender(on, source, tasks, asked_for=False) for source in unasked]
    names = [one.name for one in made]
    for one in made:
        if names.count(one.name) > 1:
            raise UserError(f"There are two mappers called {one.name}: give one of them another `name`.")
    return made


def _contender(suite: Suite, source: str, tasks: Sequence[str], *, asked_for: bool) -> PlannedMapper:
    request = Request(suite, spec_of(source, []), tuple(tasks))
    found = find(request.mapper)
    return PlannedMapper(request, found, tuple(request.cells(found)), asked_for)
