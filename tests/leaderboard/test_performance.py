"""CPU time of a leaderboard: `pytest -m performance -s tests/leaderboard`."""

import resource
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from graftbench.benchmark.mappers.info import submission_hash
from graftbench.benchmark.results.draws import Draws
from graftbench.benchmark.results.entry_files import entry_text, read_entry
from graftbench.benchmark.results.estimates import resamples_of
from graftbench.benchmark.results.scores import headline
from graftbench.benchmark.results.transfers import cell_transfer
from graftbench.leaderboard.entries import entry_files, file_name

pytestmark = pytest.mark.performance

SHIPPED = Path(__file__).parents[2] / "leaderboard"


def seconds(*command):
    """The CPU time of a command of graftbench, with its imports."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "graftbench", *command], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def turned(cell, n):
    """A cell with the answers of the mapped condition moved on by n prompts, so that nothing of it is known before."""
    if "mapped" not in cell.bits:
        return cell
    (draw,) = cell.bits["mapped"].strings
    first = n % len(draw)
    bits = cell.bits | {"mapped": Draws([draw[first:] + draw[:first]])}
    if not cell.steerable:
        return cell.model_copy(update={"bits": bits})
    drawn = resamples_of(cell.clusters, bits, cell.transfer.baseline)
    transfer = cell_transfer(cell.clusters, bits, cell.transfer.baseline, drawn)
    return cell.model_copy(update={"bits": bits, "transfer": transfer})


def copied(entry, n):
    """The entry under another name, and the file of its mapper."""
    name = f"{entry.mapper.name}_{n}"
    text = f'class Copy:\n    name = "{name}"\n    deterministic = {entry.mapper.deterministic}\n'
    sha = sha256(text.encode()).hexdigest()
    about = {"name": name, "source": "copy.py:Copy", "files": {"copy.py": sha}, "sha256": submission_hash("Copy", sha)}
    cells = [turned(cell, n) for cell in entry.cells]
    more = {"mapper": entry.mapper.model_copy(update=about), "cells": cells}
    more |= {"headline": headline(cells, left_out=entry.headline.left_out)}
    return entry.model_copy(update=more), text


def leaderboard_of(folder, n):
    """A leaderboard of n entries: those that ship, over and over, each under a name of its own."""
    shutil.copytree(SHIPPED / "suites", folder / "suites")
    (folder / "entries").mkdir()
    shipped = [read_entry(path) for path in entry_files(SHIPPED)]
    for i in range(n):
        copy, text = copied(shipped[i % len(shipped)], i)
        path = folder / "entries" / file_name(copy)
        path.write_text(entry_text(copy))
        (folder / "mappers" / path.stem).mkdir(parents=True)
        (folder / "mappers" / path.stem / "copy.py").write_text(text)
    return str(folder)


@pytest.mark.parametrize("command", ["build", "page", "verify"])
def test_what_ships_takes_seconds(tmp_path, command):
    for part in ("entries", "suites", "sweeps", "scoring"):
        shutil.copytree(SHIPPED / part, tmp_path / part)
    seconds("leaderboard", "build", "--leaderboard", str(tmp_path))
    took = seconds("leaderboard", command, "--leaderboard", str(tmp_path))
    print(f"\n{command}: {took:.2f} s of CPU time")  # noqa: T201
    assert took < 10  # more than three times as long as when it was written


def test_time_grows_as_the_entries_do(tmp_path):
    few, many = (leaderboard_of(make(tmp_path / str(n)), n) for n in (17, 51))
    short, long = (seconds("leaderboard", "build", "--leaderboard", folder) for folder in (few, many))
    print(f"\nbuild: {short:.2f} s for 17 entries, {long:.2f} s for 51")  # noqa: T201
    assert long < 4 * short


def make(folder):
    folder.mkdir()
    return folder
