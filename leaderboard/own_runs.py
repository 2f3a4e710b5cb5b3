"""Runs scored as the leaderboard of this repository scores them, with its memory, wherever it holds their suite."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.files import write_text
from graftbench.benchmark.results.entry_files import read_entry
from graftbench.benchmark.results.schema import Entry, SuiteIdentity
from graftbench.leaderboard.entries import ENTRIES, SHORT_HASH, by_suite
from graftbench.leaderboard.ranking import as_json, check_comparable, ranking_of
from graftbench.leaderboard.scoring import Scoring, read_scoring
from graftbench.leaderboard.suites import SUITES, identity_of, stored_suite

FOLDER = Path(__file__).parent  # a package that was built holds the code of the leaderboard alone


class _Known(NamedTuple):
    """How a suite is scored, with the entries of its memory, or why there is none."""

    scoring: Scoring
    memory: Sequence[Entry] | str


def ranking_of_runs(entries: Sequence[Entry], folder: Path = FOLDER) -> dict[str, Any]:
    """Return the ranking of runs of one suite; UserError where they cannot be compared."""
    return ranking_of(entries, *_known(entries, folder))


def write_leaderboard(path: Path, entries: Sequence[Entry], folder: Path = FOLDER) -> None:
    """Write the leaderboard of some runs; UserError where those of a suite cannot be compared."""
    known = {name: _known(ours, folder) for name, ours in by_suite(entries).items()}
    scorings = {name: each.scoring for name, each in known.items()}
    write_text(path, as_json(entries, scorings, {name: each.memory for name, each in known.items()}))


def _known(entries: Sequence[Entry], folder: Path) -> _Known:
    """Return how a leaderboard scores the suite of some runs; nothing where it has no such suite."""
    suite = entries[0].suite
    if not (folder / SUITES).is_dir():
        return _Known(Scoring(), "there is no leaderboard here with the memory of this suite")
    if not _has(suite, folder):
        return _Known(Scoring(), ())
    scoring = read_scoring(folder, suite.name)
    memory = [entry for name in scoring.memory for entry in _entries_of(name, suite, folder)]
    try:
        check_comparable([*entries, *memory])
    except UserError as error:
        return _Known(scoring, str(error).rstrip("."))
    return _Known(scoring, memory)


def _has(suite: SuiteIdentity, folder: Path) -> bool:
    """Return whether a leaderboard has a suite; many names of suites are not safe as that of a file."""
    names = [file.stem for file in (folder / SUITES).glob("*.json")]
    return suite.name in names and identity_of(stored_suite(folder, suite.name)) == suite


def _entries_of(mapper: str, suite: SuiteIdentity, folder: Path) -> list[Entry]:
    files = sorted((folder / ENTRIES).glob(f"{mapper}-*-{suite.hash[:SHORT_HASH]}.json"))
    found = [read_entry(path) for path in files]
    return [entry for entry in found if entry.suite == suite and entry.mapper.source == mapper]
