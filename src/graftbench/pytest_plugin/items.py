"""Cells as tests: `graftbench::ridge::backdoor_removal-style-llama-s->llama-m-task`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.runs.executors.inline import score_here
from graftbench.benchmark.runs.parts import Parts
from graftbench.benchmark.runs.plan import Cell
from graftbench.benchmark.runs.request import Settings
from graftbench.pytest_plugin.mappers import PlannedMapper
from graftbench.pytest_plugin.names import MARKER, ROOT
from graftbench.pytest_plugin.validity import below, floor_of, invalid


@dataclass(frozen=True)
class Scoring:
    """What all tests of a session share: how cells are run, where their parts go, and a floor of every transfer."""

    settings: Settings
    folder: Path
    floor: float | None

    def parts(self, contender: PlannedMapper) -> Parts:
        """Where the parts of a mapper lie."""
        name = contender.request.folder(contender.found, contender.cells).name
        return Parts(self.folder / name, self.folder / "grounds")


class MapperTests(pytest.Collector):
    """The tests of a mapper, one for each of its cells."""

    def __init__(self, *, contender: PlannedMapper, scoring: Scoring, **more: Any) -> None:
        super().__init__(**more)
        self.contender, self.scoring = contender, scoring
        self.extra_keyword_matches.add(ROOT)

    def collect(self) -> list[pytest.Item | pytest.Collector]:
        """The tests, in the order of the suite."""
        return [CellTest.from_parent(self, name=name_of(cell), cell=cell) for cell in self.contender.cells]


class CellTest(pytest.Item):
    """A cell: fails where what came out is not valid or below its floor, and not because it is low."""

    parent: MapperTests

    def __init__(self, *, cell: Cell, **more: Any) -> None:
        super().__init__(**more)
        self.cell = cell
        self.add_marker(MARKER)

    def runtest(self) -> None:
        """Score the cell, and write its part."""
        contender, scoring = self.parent.contender, self.parent.scoring
        try:
            result = score_here(
                contender.request.mapper, contender.found.sha256, self.cell, scoring.settings, scoring.parts(contender)
            )
        except UserError as error:
            pytest.fail(str(error), pytrace=False)
        if result.traceback:
            self.add_report_section("call", "traceback", result.traceback)
        floor = floor_of(contender.request.suite, result, scoring.floor) if contender.asked_for else None
        wrong = [*invalid(result), *below(floor, result)]
        if wrong:
            pytest.fail(f"{'; '.join(wrong)} ({self.title})", pytrace=False)

    @property
    def title(self) -> str:
        """The mapper and the cell, in words."""
        return f"{self.parent.contender.name}, {self.cell.name}"

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where it is said to be, and the line above its failure."""
        return self.config.rootpath / ROOT, None, self.title


def name_of(cell: Cell) -> str:
    """What the test of a cell is called."""
    return cell.name.replace(" ", "-")


def node_id(contender: PlannedMapper, cell: Cell | None = None) -> str:
    """The whole name of the test of a cell, or of all tests of a mapper."""
    return "::".join([ROOT, contender.name, *([name_of(cell)] if cell else [])])


def mapper_tests(session: pytest.Session, contenders: Sequence[PlannedMapper], scoring: Scoring) -> list[MapperTests]:
    """What collects the tests of each mapper."""
    return [
        MapperTests.from_parent(session, name=one.name, nodeid=node_id(one), contender=one, scoring=scoring)
        for one in contenders
    ]
