"""A command that is killed at any moment and given again: the results of an undisturbed one, and nothing else is left.

Moments are counted in changes of files, each of which can be hit, and in seconds.
"""

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from graftbench.benchmark.models.shipped import WEIGHTS
from tests.faults.commands import CASES, Case, results
from tests.faults.killing import command

pytestmark = [
    pytest.mark.skipif(not WEIGHTS.is_dir(), reason="no trained zoo here: `graftbench zoo train` makes it"),
]
BY_CHANGES, BY_SECONDS = 4, 2  # moments of each command behind the marker
SAMPLE = {"submit": 2, "build": 1, "score, one worker": 1}


@dataclass(frozen=True)
class Undisturbed:
    """A command that nobody disturbed: the folder before it, what was there after it, and how long it took."""

    case: Case
    before: Path
    after: dict[str, bytes]
    changes: int
    seconds: float

    def moments(self, random: Random, by_changes: int, by_seconds: int) -> Iterator[dict[str, float]]:
        """Yield moments to be killed at, spread over all of its changes of files, and over its seconds."""
        for i in range(by_changes):
            low, high = (round(self.changes * part / by_changes) for part in (i, i + 1))
            yield {"before_change": random.randint(low + 1, max(high, low + 1))}
        for i in range(by_seconds):
            yield {"after": self.seconds * (i + random.random()) / by_seconds}

    def assert_goes_on(self, folder: Path, moment: dict[str, float]) -> bool:
        """Kill the command at a moment, give it again, and compare; returns whether it was still going on."""
        shutil.copytree(self.before, folder)
        killed = command(self.case.arguments, folder, **moment)
        again = command(self.case.arguments, folder)
        told = f"{moment}: {killed.said}\n--- again: {again.said}"
        assert killed.status in (-9, 0), told
        assert "Traceback" not in killed.said + again.said, told
        assert again.status == 0 or (self.case.is_done and self.case.is_done in again.said), told
        found = results(folder)
        assert found.keys() == self.after.keys(), (moment, found.keys() ^ self.after.keys())
        assert [name for name in found if found[name] != self.after[name]] == [], moment
        shutil.rmtree(folder)
        return killed.status == -9


def undisturbed(name: str, home: Path) -> Undisturbed:
    """Run a command twice, so that the second is as fast as those that follow."""
    before = home / "before"
    (before / "data").mkdir(parents=True)
    CASES[name].prepare(before)
    for folder in (home / "first", home / "second"):
        shutil.copytree(before, folder)
        started = time.monotonic()
        ended = command(CASES[name].arguments, folder)
        seconds = time.monotonic() - started
        assert ended.status == 0, ended.said
    after = results(home / "second")
    assert results(home / "first") == after
    return Undisturbed(CASES[name], before, after, ended.changes, seconds)


@pytest.mark.parametrize("name", SAMPLE)
def test_a_command_that_was_killed_goes_on(tmp_path, name):
    known = undisturbed(name, tmp_path)
    for moment in known.moments(Random(0), SAMPLE[name], 0):
        assert known.assert_goes_on(tmp_path / "killed", moment)


@pytest.mark.faults
@pytest.mark.parametrize("name", CASES)
def test_a_command_that_was_killed_at_random_goes_on(tmp_path, name):
    known = undisturbed(name, tmp_path)
    moments = list(known.moments(Random(name), BY_CHANGES, BY_SECONDS))
    hit = sum(known.assert_goes_on(tmp_path / "killed", moment) for moment in moments)
    print(f"{name}: {hit} of {len(moments)} moments hit it, of {known.changes} changes in {known.seconds:.1f} s")  # noqa: T201
    assert hit >= BY_CHANGES
