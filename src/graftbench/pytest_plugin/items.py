"""Cells as tests: `graftbench::ridge::backdoor_removal-style-llama-s->llama-m-task`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from graftbench.benchmark.runs.context import Settings
from graftbench.benchmark.runs.jobs import run_cell
from graftbench.benchmark.runs.parts import Parts, parts_folder
from graftbench.benchmark.runs.plan import Cell
from graftbench.pytest_plugin.closing import below, floor_of, invalid
from graftbench.pytest_plugin.mappers import PlannedMapper
from graftbench.pytest_plugin.names import MARKER, ROOT


@dataclass(frozen=True)
class Scoring:
    """Settings that all tests of a session share.

    Args:
        settings: How cells are run.
        references: The folder for what cells of all mappers share, which goes with the session.
        floor: The least transfer of every cell, None where the suite's own floors hold.

    """

    settings: Settings
    references: Path
    floor: float | None

    def parts(self, mapper: PlannedMapper) -> Parts:
        """Return the parts of a mapper's cells, which stay until all of them have run."""
        folder = mapper.request.folder(mapper.cells)
        return Parts(parts_folder(folder, self.settings, mapper.request.mapper), self.references)


class MapperTests(pytest.Collector):
    """The tests of a mapper, one for each of its cells."""

    def __init__(self, *, mapper: PlannedMapper, scoring: Scoring, **more: Any) -> None:
        super().__init__(**more)
        self.mapper, self.scoring = mapper, scoring
        self.extra_keyword_matches.add(ROOT)

    def collect(self) -> list[pytest.Item | pytest.Collector]:
        """The tests, in the order of the suite."""
        return [CellTest.from_parent(self, name=name_of(cell), cell=cell) for cell in self.mapper.cells]


class CellTest(pytest.Item):
    """The test of a cell: it fails where the result is invalid or below its floor, and not because it is low."""

    parent: MapperTests

    def __init__(self, *, cell: Cell, **more: Any) -> None:
        super().__init__(**more)
        self.cell = cell
        self.add_marker(MARKER)

    def runtest(self) -> None:
        """Score the cell, and write its part."""
        mapper, scoring = self.parent.mapper, self.parent.scoring
        result = run_cell(self.cell, scoring.settings, mapper.request.mapper, scoring.parts(mapper))
        if result.traceback:
            self.add_report_section("call", "traceback", result.traceback)
        floor = floor_of(mapper.request.suite, result, scoring.floor) if mapper.asked_for else None
        wrong = [*invalid(result), *below(floor, result)]
        if wrong:
            pytest.fail(f"{'; '.join(wrong)} ({self.title})", pytrace=False)

    @property
    def title(self) -> str:
        """The mapper and the cell, in words."""
        return f"{self.parent.mapper.name}, {self.cell.name}"

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return where the test stands, and the line above its failure."""
        return self.config.rootpath / ROOT, None, self.title


def name_of(cell: Cell) -> str:
    """Return the name of the test of a cell."""
    return cell.name.replace(" ", "-")


def node_id(mapper: PlannedMapper, cell: Cell | None = None) -> str:
    """Return the node id of the test of a cell, or of all tests of a mapper."""
    return "::".join([ROOT, mapper.name, *([name_of(cell)] if cell else [])])


def mapper_tests(session: pytest.Session, mappers: Sequence[PlannedMapper], scoring: Scoring) -> list[MapperTests]:
    """Return the collectors of the tests of each mapper."""
    return [
        MapperTests.from_parent(session, name=one.name, nodeid=node_id(one), mapper=one, scoring=scoring)
        for one in mappers
    ]
