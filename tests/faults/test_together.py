"""The same command twice at the same time in one folder: the second is refused, or both write the same."""

import shutil
import time

import pytest

from graftbench.benchmark.models.shipped import WEIGHTS
from tests.faults.commands import CASES, results
from tests.faults.killing import command, started
from tests.faults.test_killed import undisturbed

pytestmark = pytest.mark.skipif(not WEIGHTS.is_dir(), reason="no trained zoo here: `graftbench zoo train` makes it")
SAMPLE = ("submit", "build")
REFUSED = "Another run is writing to "


def slowly(event, n):
    """Give the other run time to do something between two changes of files."""
    if event != "read":
        time.sleep(0.002)


def assert_fit_together(name, tmp_path):
    known = undisturbed(name, tmp_path)
    folder = tmp_path / "both"
    shutil.copytree(known.before, folder)
    arguments = known.case.arguments
    with started(arguments, folder, fault=slowly) as one, started(arguments, folder, fault=slowly) as other:
        ended = [one.wait(), other.wait()]
    told = "\n---\n".join(each.said for each in ended)
    assert "Traceback" not in told, told
    assert 0 in [each.status for each in ended], told
    for each in ended:
        assert each.status == 0 or REFUSED in each.said or (known.case.is_done or REFUSED) in each.said, told
    assert results(folder) == known.after
    again = command(arguments, folder)
    assert again.status == 0 or (known.case.is_done or REFUSED) in again.said, again.said


@pytest.mark.parametrize("name", SAMPLE)
def test_two_at_the_same_time_do_no_harm(tmp_path, name):
    assert_fit_together(name, tmp_path)


@pytest.mark.faults
@pytest.mark.parametrize("name", CASES.keys() - set(SAMPLE))
def test_two_of_the_longer_ones_do_no_harm_either(tmp_path, name):
    assert_fit_together(name, tmp_path)
