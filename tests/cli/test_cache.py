"""The command `graftbench cache`."""

import pytest

from graftbench.benchmark.core.files import write_text
from graftbench.benchmark.core.locks import one_at_a_time
from graftbench.benchmark.core.store import Store
from graftbench.cli.main import main


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("GRAFTBENCH_CACHE", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "160")
    store = Store()
    store.folder("pairs", 1, lambda folder: write_text(folder / "numbers", "x" * 2**21))
    return store


def test_the_cache_is_shown_by_kind(store, capsys):
    assert main(["cache"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "pairs" in said
    assert f"2.0 MiB in {store.root}" in said


def test_what_was_used_lately_stays_and_a_kind_can_be_removed_at_once(store, capsys):
    assert main(["cache", "prune"]) == 0
    assert "Removed 0 of 1 pieces" in capsys.readouterr().out
    assert main(["cache", "prune", "--days", "0", "--kind", "pairs"]) == 0
    assert "Removed 1 of 1 pieces, 2.0 MiB of 2.0 MiB" in " ".join(capsys.readouterr().out.split())


def test_no_lock_stays_that_nobody_holds(store, tmp_path):
    with one_at_a_time(tmp_path / "elsewhere"):
        pass
    assert len(list(tmp_path.rglob("*.lock"))) == 2
    assert main(["cache", "prune", "--days", "0"]) == 0
    assert not list(tmp_path.rglob("*.lock"))


def test_a_kind_that_there_is_not_is_named(store, capsys):
    assert main(["cache", "prune", "--kind", "pears"]) == 2
    assert "'pears'" in capsys.readouterr().err
