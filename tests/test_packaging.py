"""A wheel holds everything, and works in a folder that has rooms of the same names."""

import os
import subprocess
import sys
import zipfile

import pytest

from graftbench.benchmark.models.shipped import WEIGHTS
from graftbench.benchmark.zoo.names import all_names


def test_the_wheel_holds_the_four_rooms_as_files(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    for room in ("benchmark", "tasks", "judges", "leaderboard"):
        assert f"graftbench/{room}/__init__.py" in names
    assert "graftbench/py.typed" in names


def test_the_wheel_holds_the_page_and_no_entries(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    for file in ("page/page.html.j2", "page/page.css", "page/page.js", "entry.schema.json", "published.yaml"):
        assert f"graftbench/leaderboard/{file}" in names
    kept = {name.split("/")[2] for name in names if name.startswith("graftbench/leaderboard/")}
    assert not kept & {"entries", "mappers", "suites", "sweeps", "leaderboard.json", "index.html"}


@pytest.mark.skipif(not WEIGHTS.is_dir(), reason="no trained zoo here: `graftbench zoo train` makes it")
def test_the_wheel_holds_the_zoo(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    for name in all_names():
        for file in ("config.json", "model.safetensors", "tokenizer.json", "README.md"):
            assert f"graftbench/benchmark/zoo/weights/{name}/{file}" in names


def test_the_wheel_works_beside_folders_called_tasks_and_benchmark(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    for room in ("tasks", "benchmark", "judges"):
        (tmp_path / room).mkdir()
        (tmp_path / room / "__init__.py").write_text("raise RuntimeError('not the package')")
    code = "import graftbench.tasks, graftbench.judges, graftbench.leaderboard; from graftbench.cli.main import main"
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "site"), "GRAFTBENCH_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; raise SystemExit(main(['zoo', 'list']))"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "llama-m-hate" in done.stdout
