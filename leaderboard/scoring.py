"""What a leaderboard fixes for the scores of a suite: memory, and names of behaviours."""

from collections.abc import Iterable
from pathlib import Path

from pydantic import Field, ValidationError

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.names import Line, Word
from graftbench.benchmark.results.entry_files import read_bytes
from graftbench.benchmark.results.schema import CellResult, Part
from graftbench.leaderboard.suites import suite_file

SCORING = "scoring"
MAX_BYTES = 2**16


class Scoring(Part):
    """How the mappers of one suite are scored.

    `memory` names mappers that come with graftbench: what one of them does on a prompt is no evidence that a map
    carried it. `behaviours` has the behaviour of each variant under which scores are reported; a variant that is
    missing stands for itself. The suite itself says which cells enter no score.
    """

    memory: tuple[Word, ...] = ()
    behaviours: dict[Word, Line] = Field(default_factory=dict)

    def behaviour(self, cell: CellResult) -> str:
        """Return the name of a cell's behaviour."""
        return self.behaviours.get(cell.variant, cell.variant)


def read_scoring(folder: Path, suite: str) -> Scoring:
    """Return the scoring of a suite, which is empty where a leaderboard has none; UserError where it is malformed."""
    path = scoring_file(folder, suite)
    if not path.exists():
        return Scoring()
    try:
        return Scoring.model_validate_json(read_bytes(path, MAX_BYTES))
    except ValidationError as error:
        raise UserError(f"{path} holds no scoring of a suite: {error.errors()[0]['msg']}.") from error


def read_scorings(folder: Path, suites: Iterable[str]) -> dict[str, Scoring]:
    """Return the scoring of some suites by name."""
    return {name: read_scoring(folder, name) for name in suites}


def scoring_file(folder: Path, suite: str) -> Path:
    """Return the file of a suite's scoring; UserError where the name is not safe as that of a file."""
    return folder / SCORING / suite_file(folder, suite).name
