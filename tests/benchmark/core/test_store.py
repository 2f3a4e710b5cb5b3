import json
import multiprocessing
import os
from itertools import count
from types import SimpleNamespace

import pytest

from graftbench.benchmark.core import store as store_module
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.files import write_text
from graftbench.benchmark.core.hashing import digest
from graftbench.benchmark.core.store import Store


class Counted:
    def __init__(self, value):
        self.value, self.calls = value, 0

    def __call__(self):
        self.calls += 1
        return self.value


def files_of(store):
    return [file for file in store.root.rglob("*") if file.is_file()]


def test_work_is_done_once(tmp_path):
    store, make = Store(tmp_path), Counted({"a": [1, 2.5, None, "ü"]})
    assert store.value("things", ["x", 1], make) == store.value("things", ["x", 1], make) == make.value
    assert make.calls == 1


def test_other_parts_and_other_kinds_are_other_work(tmp_path):
    store, make = Store(tmp_path), Counted(1)
    store.value("things", ["x"], make)
    store.value("things", ["y"], make)
    store.value("stuff", ["x"], make)
    assert make.calls == 3


def test_new_code_invalidates_the_cache(tmp_path, monkeypatch):
    make = Counted(1)
    Store(tmp_path).value("things", [], make)
    monkeypatch.setattr("graftbench.benchmark.core.store.code_version", lambda: "other")
    Store(tmp_path).value("things", [], make)
    assert make.calls == 2


@pytest.mark.parametrize("damage", ["truncate", "change", "remove", "manifest"])
def test_damaged_work_is_computed_again_and_the_log_says_so(tmp_path, caplog, damage):
    store, make = Store(tmp_path), Counted([1, 2, 3])
    store.value("things", [], make)
    file = next(f for f in files_of(store) if f.name == ("manifest.json" if damage == "manifest" else "value.json"))
    if damage == "remove":
        file.unlink()
    else:
        file.write_text({"truncate": "", "change": "[1, 2, 4]", "manifest": "{"}[damage])
    assert store.value("things", [], make) == [1, 2, 3]
    assert make.calls == 2
    assert "damaged" in caplog.text


def test_work_that_fails_leaves_nothing_behind(tmp_path):
    store = Store(tmp_path)

    def fail(folder):
        (folder / "half.json").write_text("{")
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        store.folder("things", [], fail)
    assert not [file for file in files_of(store) if file.suffix == ".json"]
    assert store.value("things", [], lambda: 1) == 1


def test_unfinished_work_of_a_killed_process_is_removed(tmp_path):
    def dies(folder):
        (folder / "half").write_text("half")
        os._exit(9)

    process = multiprocessing.get_context("fork").Process(target=Store(tmp_path).folder, args=("things", [], dies))
    process.start()
    process.join()
    assert [file.name for file in files_of(Store(tmp_path)) if file.suffix != ".lock"] == ["half"]
    Store(tmp_path).value("things", [], Counted(1))
    left = sorted(file.name for file in files_of(Store(tmp_path)) if file.suffix != ".lock")
    assert left == ["manifest.json", "value.json"]


def test_the_file_of_a_lock_stays_for_the_process_that_waits_for_it(tmp_path):
    Store(tmp_path).value("things", [], lambda: 1)
    assert [file.suffix for file in files_of(Store(tmp_path)) if file.suffix == ".lock"] == [".lock"]


def test_a_folder_that_cannot_be_written_to_is_a_users_mistake(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(UserError, match="cannot be written.*GRAFTBENCH_CACHE"):
        Store(file / "below").value("things", [], lambda: 1)


def _make_slowly(root, log):
    def make():
        with log.open("a") as stream:
            stream.write(f"{os.getpid()}\n")
        return 7

    assert Store(root).value("things", ["slow"], make) == 7


def test_two_processes_do_not_do_the_same_work(tmp_path):
    log = tmp_path / "log"
    context = multiprocessing.get_context("fork")
    both = [context.Process(target=_make_slowly, args=(tmp_path / "store", log)) for _ in range(4)]
    for process in both:
        process.start()
    for process in both:
        process.join()
    assert all(process.exitcode == 0 for process in both)
    assert len(log.read_text().splitlines()) == 1


def test_where_a_disk_knows_no_locks_the_first_of_two_machines_to_finish_wins(tmp_path, monkeypatch):
    write_text(tmp_path / "any", "")  # names of unfinished files keep that of this machine
    nodes = (f"node {n}" for n in count())
    monkeypatch.setattr(store_module, "FileLock", lambda _: SimpleNamespace(acquire=list, release=list))
    monkeypatch.setattr(store_module.platform, "node", lambda: next(nodes))

    def slower():
        assert Store(tmp_path).value("things", [], lambda: "first") == "first"
        return "second"

    assert Store(tmp_path).value("things", [], slower) == "first"
    assert not list((tmp_path / "things").rglob(".unfinished-*"))


def test_a_digest_depends_on_every_part_and_on_nothing_else():
    assert digest("a", [1, {"x": 2, "y": 3}]) == digest("a", [1, {"y": 3, "x": 2}])
    assert len({digest("a", 1), digest("a", 2), digest("a1"), digest("a", "1")}) == 4
    assert json.loads(json.dumps(digest("a"))) == digest("a")
