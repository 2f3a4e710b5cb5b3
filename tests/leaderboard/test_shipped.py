"""The leaderboard that ships: its entries are sound, of the pocket suite as it is, and ranked as they should be."""

from pathlib import Path

import pytest

from graftbench.benchmark.runs.suite import read_suite, read_suite_file
from graftbench.leaderboard.verify import verify_all

FOLDER = Path(__file__).parents[2] / "leaderboard"


@pytest.mark.slow
def test_every_entry_follows_from_its_files_and_the_leaderboard_from_the_entries():
    assert [one.report for one in verify_all(FOLDER) if one.wrong] == []


def test_it_is_of_the_pocket_suite_as_it_is():
    assert read_suite_file(FOLDER / "suite.json").hash == read_suite("pocket").hash
