"""The leaderboard that ships: its entries are sound, of suites as they ship, and ranked as they should be."""

from pathlib import Path

import pytest

from graftbench.benchmark.runs.suite import SUITES, read_suite, read_suite_file
from graftbench.leaderboard.scoring import read_scoring
from graftbench.leaderboard.suites import stored_suite
from graftbench.leaderboard.verify import verify_all

FOLDER = Path(__file__).parents[2] / "leaderboard"
SHIPPED = {file.stem for file in SUITES.glob("*.yaml")}


@pytest.mark.slow
def test_every_entry_follows_from_its_files_and_the_leaderboard_from_the_entries():
    assert [one.report for one in verify_all(FOLDER) if one.wrong] == []


def test_no_entry_is_large_and_all_are_of_the_newest_schema():
    files = list((FOLDER / "entries").iterdir())
    assert max(file.stat().st_size for file in files) <= 1_500_000
    assert all(file.read_bytes().startswith(b'{\n"schema_version": 4,') for file in files)


@pytest.mark.parametrize("file", sorted((FOLDER / "suites").iterdir()), ids=lambda file: file.stem)
def test_a_suite_on_it_that_has_the_name_of_one_that_ships_is_the_one_that_ships(file):
    stored = read_suite_file(file)
    assert stored.name == file.stem
    if stored.name in SHIPPED:
        shipped = read_suite(stored.name)
        assert (stored.hash, stored.left_out) == (shipped.hash, shipped.left_out)


@pytest.mark.parametrize("file", sorted((FOLDER / "scoring").iterdir()), ids=lambda file: file.stem)
def test_a_scoring_names_cells_variants_and_mappers_of_its_suite(file):
    scoring, suite = read_scoring(FOLDER, file.stem), stored_suite(FOLDER, file.stem)
    specs = [cell for spec in suite.tasks.values() for cell in spec.cells]
    assert scoring.behaviours.keys() <= {cell.variant for cell in specs}
    assert all(list((FOLDER / "entries").glob(f"{name}-*-{suite.hash[:8]}.json")) for name in scoring.memory)
