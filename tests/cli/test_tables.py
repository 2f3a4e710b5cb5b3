import io

import pytest
from rich.console import Console

from graftbench.benchmark.results.schema import Entry, MapperRecord, SuiteIdentity
from graftbench.benchmark.results.scores import headline
from graftbench.cli.tables import print_entry
from tests.benchmark.runs.test_entry import failed, result


def printed(width, *cells, filtered=False):
    about = {"name": "mine", "source": "mine.py", "sha256": "0" * 64, "options": {}, "deterministic": True}
    entry = Entry(
        graftbench_version="0",
        suite=SuiteIdentity(name="pocket", hash="0" * 16),
        judges={},
        mapper=MapperRecord(**about, vector_rule="difference"),
        environment={},
        headline=headline(cells, filtered=filtered),
        cells=list(cells),
    )
    console = Console(width=width, file=io.StringIO())
    print_entry(entry, console)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 150])
def test_every_cell_shows_its_rates_and_transfer_whatever_the_terminal(width):
    text = printed(width, result(0.9, 0.5, 0.1))
    for shown in ("unsteered", "baseline", "mapped", "native", "transfer", "0.90", "0.50", "0.10", "fit: task"):
        assert shown in text
    assert "…" not in text


def test_what_cannot_be_steered_says_so_in_words():
    assert "not steerable" in printed(150, result(0.15, 0.1, 0.1))


def test_a_part_of_a_suite_has_the_score_of_its_task_and_none_of_the_suite():
    text = printed(150, result(0.9, 0.5, 0.1), filtered=True)
    line = next(line for line in text.splitlines() if "all cells:" in line)
    assert line.strip().startswith("all cells: backdoor_removal 50.0 (")
    assert line.endswith("no score of the suite, for cells of the suite were left out")


def test_a_failed_cell_is_in_the_table():
    text = printed(150, failed())
    assert "failed" in text
    assert "1 of 1 cells failed" in text
