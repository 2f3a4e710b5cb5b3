"""Disks that are full, read-only or slow: one sentence, nothing lost, and the same command goes on."""

import errno
import os
import shutil
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest
import torch

from graftbench.benchmark.activations.tensor_files import write_tensors
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.files import atomic_write
from graftbench.benchmark.models.shipped import WEIGHTS
from tests.faults.commands import CASES, results
from tests.faults.killing import CHANGES, command
from tests.faults.test_killed import undisturbed

pytestmark = pytest.mark.skipif(not WEIGHTS.is_dir(), reason="no trained zoo here: `graftbench zoo train` makes it")
MOMENTS = 4
TOLD = ("No space left on device", "Read-only file system", "the cache's disk has 0.0 GiB left", "inline_container")
REMOVING = ("os.remove", "os.rmdir")  # what a full disk lets one do


def full_from(number):
    """A disk that takes nothing any more from some change of files on."""

    def fault(event, n):
        if n >= number and event not in REMOVING:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    return fault


def slow(seconds):
    """A disk that takes its time for every file that is read or changed."""
    return lambda *_: time.sleep(seconds)


def assert_told(ended):
    """A command that failed said so, in a sentence or in the reason of a cell."""
    assert ended.status in (1, 2), ended.said
    assert "Traceback" not in ended.said, ended.said
    if ended.status == 2:
        last = ended.said.strip().splitlines()[-1]
        assert last.startswith("graftbench: "), ended.said
        assert any(word in last for word in TOLD), ended.said
        assert ended.said.count("\ngraftbench: ") + ended.said.startswith("graftbench: ") == 1, ended.said


def assert_goes_on_from_a_full_disk(known, folder, number):
    shutil.copytree(known.before, folder)
    full = command(known.case.arguments, folder, fault=full_from(number))
    if full.status:  # else nothing was left but to remove something
        assert_told(full)
    again = command(known.case.arguments, folder)
    assert again.status == 0, again.said
    found = results(folder)
    assert found.keys() == known.after.keys(), (number, found.keys() ^ known.after.keys())
    assert [name for name in found if found[name] != known.after[name]] == []
    shutil.rmtree(folder)


@pytest.mark.parametrize("name", ["submit", "build"])
def test_a_disk_that_gets_full_is_told_and_nothing_is_lost(tmp_path, name):
    known = undisturbed(name, tmp_path)
    for number in (2, known.changes // 2):
        assert_goes_on_from_a_full_disk(known, tmp_path / "full", number)


@pytest.mark.faults
@pytest.mark.parametrize("name", CASES)
def test_a_disk_that_gets_full_at_random_is_told_and_nothing_is_lost(tmp_path, name):
    known, random = undisturbed(name, tmp_path), Random(name)
    for _ in range(MOMENTS):
        assert_goes_on_from_a_full_disk(known, tmp_path / "full", random.randint(1, known.changes))


@pytest.mark.parametrize("about", [None, {"kind": "add"}])
def test_tensors_that_a_real_disk_does_not_take_are_told_in_one_sentence(tmp_path, about):
    with small_disk(tmp_path / "disk", "64k"):
        full = pytest.raises(UserError, match="cannot be written: .*No space left on device")
        with full, atomic_write(tmp_path / "disk" / "v.safetensors") as path:
            write_tensors({"vector": torch.ones(2**16)}, path, about)
        assert list((tmp_path / "disk").iterdir()) == []


@pytest.mark.faults
def test_a_training_that_fills_a_real_disk_is_told_and_goes_on_with_more_room(tmp_path):
    known = undisturbed("organism train", tmp_path)
    with small_disk(tmp_path / "disk", "256k") as mounted:
        folder = tmp_path / "disk" / "home"
        shutil.copytree(known.before, folder)
        assert_told(command(known.case.arguments, folder))
        mounted("size=64m")
        assert command(known.case.arguments, folder).status == 0
        assert results(folder) == known.after


@contextmanager
def small_disk(place: Path, size: str):
    """A disk of a size, and a function that mounts it again with other options; skips where nobody may mount."""
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "graftbench-test", str(place)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no disk can be mounted here: {error}")
    try:
        yield lambda options: subprocess.run(["mount", "-o", f"remount,{options}", str(place)], check=True)
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.parametrize("size", ["160k", pytest.param("1m", marks=pytest.mark.faults)])
def test_a_real_disk_that_is_full_is_told_and_the_run_goes_on_with_more_room(tmp_path, size):
    known = undisturbed("score, one worker", tmp_path)
    with small_disk(tmp_path / "disk", size) as mounted:
        folder = tmp_path / "disk" / "home"
        shutil.copytree(known.before, folder)
        assert_told(command(known.case.arguments, folder))
        mounted("size=64m")
        assert command(known.case.arguments, folder).status == 0
        assert results(folder) == known.after


def test_a_cache_that_is_read_only_is_named_and_what_needs_none_works(tmp_path):
    known = undisturbed("score, one worker", tmp_path)
    shutil.copytree(known.before, tmp_path / "home")
    with small_disk(tmp_path / "home" / "cache", "64m") as mounted:
        mounted("ro")
        ended = command(known.case.arguments, tmp_path / "home")
        assert ended.status == 2
        assert_told(ended)
        assert "GRAFTBENCH_CACHE" in ended.said
        CASES["build"].prepare(tmp_path / "home")
        assert command(CASES["build"].arguments, tmp_path / "home").status == 0
        shutil.rmtree(tmp_path / "home" / "run")
        mounted("rw")
        assert command(known.case.arguments, tmp_path / "home").status == 0
        mounted("ro")
        shutil.rmtree(tmp_path / "home" / "run")
        ended = command(known.case.arguments, tmp_path / "home")  # all of it is in the cache
        assert ended.status == 0, ended.said
    found = results(tmp_path / "home")
    assert {name: found[name] for name in found if name.startswith("run/")} == {
        name: known.after[name] for name in known.after if name.startswith("run/")
    }


@pytest.mark.parametrize("name", ["submit", pytest.param("score, two workers", marks=pytest.mark.faults)])
def test_a_slow_disk_changes_nothing(tmp_path, name):
    known = undisturbed(name, tmp_path)
    shutil.copytree(known.before, tmp_path / "slow")
    ended = command(known.case.arguments, tmp_path / "slow", fault=slow(0.01))
    assert ended.status == 0, ended.said
    assert results(tmp_path / "slow") == known.after


def test_removing_is_a_change_of_files():
    assert set(REMOVING) < set(CHANGES)
