"""The mappers that a session under pytest scores, each with its cells."""

from dataclasses import dataclass

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.mappers.info import describe
from graftbench.benchmark.runs.plan import Cell
from graftbench.benchmark.runs.request import Request
from graftbench.benchmark.runs.suite import Suite, read_suite
from graftbench.pytest_plugin.names import Asked

BASELINE = "ridge"
CONTROLS = ("zero", "mean", "identity", "random_map", "shuffled", "lookup")


@dataclass(frozen=True)
class PlannedMapper:
    """A mapper with its cells; a control that was not asked for by name is held to no floor."""

    request: Request
    cells: tuple[Cell, ...]
    asked_for: bool

    @property
    def name(self) -> str:
        """Name of the mapper, unique in the session."""
        return self.request.mapper.name


def planned_mappers(asked: Asked) -> list[PlannedMapper]:
    """Return the mappers that were named, or ridge and the controls; UserError where something named is not there."""
    named, unnamed = (list(dict.fromkeys(asked.mappers)), ()) if asked.mappers else ([BASELINE], CONTROLS)
    suite = read_suite(asked.suite)
    planned = [_planned(suite, source, asked, asked_for=True) for source in named]
    planned += [_planned(suite, source, asked, asked_for=False) for source in unnamed]
    names = [mapper.name for mapper in planned]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"There are two mappers called {name}: give one of them another `name`.")
    return planned


def _planned(suite: Suite, source: str, asked: Asked, *, asked_for: bool) -> PlannedMapper:
    request = Request(suite, describe(source), asked.tasks, variants=asked.variants, tracks=asked.tracks)
    return PlannedMapper(request, tuple(request.cells()), asked_for)
