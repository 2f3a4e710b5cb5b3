import os
from dataclasses import replace
from pathlib import Path

import fsspec
import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.runs.executors.nodes import adopt, setup_of


@pytest.fixture(autouse=True)
def process(tmp_path, monkeypatch):
    """A process whose directory and variables are put back."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GRAFTBENCH_CACHE", str(tmp_path / "cache"))
    yield
    os.environ.pop("GRAFTBENCH_DATA", None)


@pytest.fixture
def address(tmp_path):
    yield f"memory://{tmp_path.name}"
    fsspec.filesystem("memory").rm("/", recursive=True)


def test_a_node_adopts_the_directory_and_the_variables(tmp_path, monkeypatch):
    monkeypatch.setenv("GRAFTBENCH_DATA", "/data")
    with setup_of(str(tmp_path / "work"), threads=1) as setup:
        (tmp_path / "elsewhere").mkdir()
        os.chdir(tmp_path / "elsewhere")
        del os.environ["GRAFTBENCH_DATA"]
        adopt(setup)
        assert Path.cwd() == tmp_path
        assert os.environ["GRAFTBENCH_DATA"] == "/data"


def test_a_cache_that_is_not_shared_is_told_and_nothing_is_left_in_it(tmp_path):
    place = tmp_path / "work"
    with setup_of(str(place), threads=1) as setup:
        adopt(setup)
        with pytest.raises(UserError, match=r"^does not see the cache .*elsewhere of this machine: set GRAFTBENCH_CA"):
            adopt(replace(setup, place=str(tmp_path / "elsewhere")))
    assert not [path for path in place.rglob("*") if path.is_file()]


def test_where_the_cache_is_behind_an_address_each_node_keeps_its_own_folder(tmp_path, address):
    with setup_of(address, threads=1) as setup:
        adopt(setup)
        assert "GRAFTBENCH_CACHE" not in dict(setup.variables)
        with pytest.raises(UserError, match="does not see the cache"):
            adopt(replace(setup, place=f"{address}-other"))
    assert not fsspec.filesystem("memory").find(address)


def test_other_code_is_told(tmp_path):
    with setup_of(str(tmp_path / "work"), threads=1) as setup:
        other = replace(setup, versions=(("torch", "1.0"),))
        with pytest.raises(UserError, match=r"^has torch \S+, and this machine 1\.0: install the same on both\.$"):
            adopt(other)
