"""The rooms: which there are, and that the contract about their imports names every one."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def rooms():
    return {f"graftbench.benchmark.{folder.name}" for folder in (ROOT / "benchmark").iterdir() if packaged(folder)}


def packaged(folder):
    return (folder / "__init__.py").exists()


def test_no_file_lies_flat_in_the_engine():
    assert [file.name for file in (ROOT / "benchmark").glob("*.py")] == ["__init__.py"]


def test_the_contract_about_imports_names_every_room():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (contract,) = settings["contracts"]
    named = {room.strip() for layer in contract["layers"] for room in layer.replace("|", ":").split(":")}
    assert rooms() <= named
    assert {f"graftbench.{package}" for package in ("tasks", "judges", "leaderboard", "cli", "pytest_plugin")} <= named


def test_every_room_of_the_engine_has_tests():
    tested = {f"graftbench.benchmark.{folder.name}" for folder in (ROOT / "tests" / "benchmark").iterdir()}
    assert rooms() <= tested
