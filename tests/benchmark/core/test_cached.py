"""What the cache holds, and how it is made smaller."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from filelock import FileLock

from graftbench.benchmark.core.cached import contents, remove, remove_locks, unused
from graftbench.benchmark.core.files import write_text
from graftbench.benchmark.core.store import MANIFEST, UNFINISHED, Store

DAY = 24 * 60 * 60


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path)
    for kind, n in (("pairs", 1000), ("streams", 10)):
        store.folder(kind, n, lambda folder, n=n: write_text(folder / "numbers", "x" * n))
    return store


def ages(piece, days):
    then = time.time() - days * DAY
    os.utime(piece.folder / MANIFEST, (then, then))


def test_the_contents_are_every_piece_with_its_kind_and_size(store):
    found = {each.kind: each for each in contents(store.root)}
    assert set(found) == {"pairs", "streams"}
    assert found["pairs"].size - found["streams"].size == 990
    assert not any(each.unfinished for each in found.values())
    assert contents(store.root / "nowhere") == []


def test_what_was_not_used_for_days_goes_and_a_use_keeps_it(store):
    for piece in contents(store.root):
        ages(piece, 40)
    store.folder("streams", 10, lambda _: pytest.fail("it is there"))
    gone = remove(unused(contents(store.root), 30))
    assert [each.kind for each in gone] == ["pairs"]
    assert [each.kind for each in contents(store.root)] == ["streams"]


def test_one_kind_alone_goes_and_is_made_again_when_it_is_wanted(store):
    assert [each.kind for each in remove(unused(contents(store.root), 0, ["pairs"]))] == ["pairs"]
    again = store.folder("pairs", 1000, lambda folder: write_text(folder / "numbers", "y"))
    assert (again / "numbers").read_text() == "y"


def test_what_a_killed_run_left_goes_and_what_a_run_makes_stays(store):
    piece = next(each for each in contents(store.root) if each.kind == "pairs")
    left = piece.folder.with_name(f"{UNFINISHED}{piece.folder.name}-there")
    left.mkdir()
    (left / "part").write_text("x")
    (unfinished,) = unused(contents(store.root), 30)
    assert unfinished.folder == left
    with FileLock(piece.folder.with_suffix(".lock")):
        assert remove([unfinished]) == []
    assert remove([unfinished]) == [unfinished]
    assert not left.exists()


def test_locks_that_nobody_holds_go_with_what_they_guarded(store):
    gone, kept = contents(store.root)
    locks = [piece.folder.with_suffix(".lock") for piece in (gone, kept)]
    held = gone.folder.with_name("held.lock")
    with FileLock(held):
        remove([gone])
        remove_locks(store.root)
        assert sorted(store.root.rglob("*.lock")) == sorted([held, locks[1]])
    remove([kept])
    remove_locks(store.root)
    assert not list(store.root.rglob("*.lock"))


def test_a_process_that_waits_for_a_lock_that_goes_takes_a_new_one(tmp_path):
    path, held = tmp_path / "a.lock", threading.Event()

    def waits():
        with FileLock(path):
            held.set()
            assert path.exists()

    with ThreadPoolExecutor(1) as pool:
        with FileLock(path):
            waiting = pool.submit(waits)
            assert not held.wait(0.2)
            path.unlink()
        waiting.result(timeout=10)
