"""What is renamed to its place is on the disk before, and its name after; in a cache the system may take its time."""

import errno
import os
from pathlib import Path

import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.files import put_in_place, write_text
from graftbench.benchmark.core.store import Store


@pytest.fixture
def disk(monkeypatch):
    """A disk that says in `events` what it syncs and renames, in order, and that cannot sync what is in `broken`."""
    disk = Disk()
    monkeypatch.setattr(os, "open", disk.open)
    monkeypatch.setattr(os, "fsync", disk.sync)
    monkeypatch.setattr(Path, "replace", disk.replace())
    return disk


class Disk:
    def __init__(self):
        self.events, self.broken = [], set()
        self._paths, self._open, self._sync = {}, os.open, os.fsync

    def open(self, path, *how, **more):
        descriptor = self._open(path, *how, **more)
        self._paths[descriptor] = Path(path)
        return descriptor

    def sync(self, descriptor):
        path = self._paths[descriptor]
        if self.broken & {path, path.parent}:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        self._sync(descriptor)
        self.events.append(path)

    def replace(self):
        rename, events = Path.replace, self.events

        def replace(new, place):
            events.append(f"{place.name} is there")
            return rename(new, place)

        return replace


def test_a_file_is_synced_before_it_has_its_name_and_its_folder_after(tmp_path, disk):
    write_text(tmp_path / "entry.json", "whole")
    file, *rest = disk.events
    assert file.name.startswith(".entry.json.unfinished-")
    assert rest == ["entry.json is there", tmp_path]


def test_a_folder_is_synced_with_everything_in_it(tmp_path, disk):
    new = tmp_path / "new"
    (new / "in").mkdir(parents=True)
    (new / "in" / "file").touch()
    put_in_place(new, tmp_path / "place")
    assert disk.events[:3] == [new / "in", new / "in" / "file", new]
    assert disk.events[3:] == ["place is there", tmp_path]


def test_a_file_that_cannot_be_synced_does_not_take_the_place_of_the_former(tmp_path, disk):
    write_text(tmp_path / "entry.json", "former")
    disk.broken.add(tmp_path)
    with pytest.raises(UserError, match=r"entry.json cannot be written: Input/output error"):
        write_text(tmp_path / "entry.json", "new")
    assert (tmp_path / "entry.json").read_text() == "former"
    assert [path.name for path in tmp_path.iterdir()] == ["entry.json"]


def test_a_disk_that_cannot_sync_folders_takes_files(tmp_path, disk):
    disk.broken.add(tmp_path.parent)
    write_text(tmp_path / "entry.json", "whole")
    assert (tmp_path / "entry.json").read_text() == "whole"
    assert tmp_path not in disk.events


def test_a_cache_does_not_wait_for_the_disk_and_makes_again_what_a_power_cut_left_empty(tmp_path, disk):
    store = Store(tmp_path)
    assert store.value("kind", ["a"], lambda: 1) == 1
    assert not [event for event in disk.events if isinstance(event, Path)]
    (value,) = tmp_path.rglob("value.json")
    value.write_text("")
    assert store.value("kind", ["a"], lambda: 2) == 2
    write_text(tmp_path / "entry.json", "whole")
    assert tmp_path in disk.events  # after the cache, files wait for the disk again
