import pytest

from graftbench.benchmark.core import store

OUTSIDE = ("cli", "benchmark/runs", "benchmark/results", "benchmark/zoo/training", "leaderboard", "pytest_plugin")


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package with one small file in each room."""
    for room in (*store.ROOMS, *OUTSIDE):
        (tmp_path / room / "deeper").mkdir(parents=True)
        (tmp_path / room / "deeper" / "code.py").write_text("x = 1\n")
    monkeypatch.setattr(store, "_PACKAGE", tmp_path)
    store.code_version.cache_clear()
    yield tmp_path
    store.code_version.cache_clear()


def version_after_a_change(package, room):
    (package / room / "deeper" / "code.py").write_text("x = 2\n")
    store.code_version.cache_clear()
    return store.code_version()


def test_every_room_that_decides_what_is_cached_exists():
    assert all(list((store._PACKAGE / room).rglob("*.py")) for room in store.ROOMS)


@pytest.mark.parametrize("room", store.ROOMS)
def test_a_change_in_a_room_that_decides_what_is_cached_changes_the_version(package, room):
    before = store.code_version()
    assert version_after_a_change(package, room) != before


@pytest.mark.parametrize("room", OUTSIDE)
def test_a_change_in_any_other_room_keeps_the_version(package, room):
    before = store.code_version()
    assert version_after_a_change(package, room) == before


def test_a_new_or_a_renamed_file_changes_the_version(package):
    before = store.code_version()
    folder = package / store.ROOMS[0]
    (folder / "deeper" / "code.py").rename(folder / "code.py")
    store.code_version.cache_clear()
    renamed = store.code_version()
    (folder / "more.py").write_text("")
    store.code_version.cache_clear()
    assert len({before, renamed, store.code_version()}) == 3


def test_no_room_that_decides_results_is_forgotten():
    engine = ("data", "metrics", "models", "activations", "interventions", "mappers", "organisms", "experiments")
    others = ("benchmark/capability", "benchmark/zoo/world", "tasks", "judges")
    assert {*(f"benchmark/{room}" for room in engine), *others} <= set(store.ROOMS)
