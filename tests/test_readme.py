"""README.md and docs/: figures, commands, paths and code are those of the repository."""

import importlib
import re
import shlex
from pathlib import Path

import pytest

from graftbench.cli.main import _parser, main
from tests.benchmark.tiny_models import RIGHT

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", ROOT / "judges" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMAND = re.compile(r"^(?:uv run )?graftbench (.+)$", re.MULTILINE)
(ARCHITECTURES,) = [
    table.splitlines()
    for table in re.findall(
        r"<!-- table: architectures -->\n+(.*?)\n*<!-- end -->",
        (ROOT / "docs/data-and-models.md").read_text(),
        re.DOTALL,
    )
]
ROOMS = r"benchmark|tasks|judges|leaderboard|src|tests|docs|examples"


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)


def commands(page):
    return [command for block in blocks(page, "bash") for command in COMMAND.findall(block)]


@pytest.mark.slow
def test_the_tables_are_those_of_the_entries_that_ship(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    tables = importlib.import_module("tables")
    entries = tables.shipped()
    monkeypatch.setattr(tables, "TABLES", tables.TABLES | {"architectures": lambda *_: ARCHITECTURES})  # see below
    for path in tables.PAGES:
        page = path.read_text(encoding="utf-8")
        assert tables.BLOCK.search(page)
        assert tables.with_tables(page, entries) == page


def test_a_class_of_the_api_is_listed_with_its_methods_and_properties_and_with_nothing_else():
    listed = set(re.findall(r"^\| `([\w.]+)", (ROOT / "docs/api.md").read_text(encoding="utf-8"), re.MULTILINE))
    named = {"Run.open", "Run.failed", "Run.scores", "Run.score", "Run.rows", "Model.loaded", "Pairs.batches"}
    assert named | {"CrossModelMap.__call__", "Mapper.__call__", "LineDataset.examples"} <= listed
    assert not {"Run.entry", "Prompt.trigger", "UserError.with_traceback", "Run.__repr__"} & listed


def test_the_architectures_are_those_that_are_tried():
    assert [line.split("`")[1] for line in ARCHITECTURES[2:]] == sorted(RIGHT)


@pytest.mark.parametrize("kind", sorted(RIGHT))
def test_every_architecture_passes_every_check_and_is_as_its_row_says(kind, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    row = importlib.import_module("architecture_table").architecture(kind)
    assert row.endswith("| 5 of 5 | acts the same |")
    assert row in ARCHITECTURES


def test_the_readme_is_short():
    assert len(README.read_bytes()) <= 12_000


@pytest.mark.slow
def test_the_python_of_the_readme_prints_what_it_says(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("GRAFTBENCH_CACHE", str(tmp_path))
    (code,) = blocks(README, "python")
    exec(code, {})
    printed = capsys.readouterr().out.splitlines()
    said = re.findall(r"# \['(.*?) ?\.\.\.'\]$", code, re.MULTILINE)
    assert len(printed) == len(said) == 2
    assert all(line.startswith(f"['{start}") for line, start in zip(printed, said, strict=True))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_on_a_page_is_one_that_the_command_line_takes(page):
    for command in commands(page):
        try:
            _parser().parse_args(shlex.split(command, comments=True))
        except SystemExit:
            pytest.fail(f"graftbench {command}")


def test_the_readme_shows_commands():
    assert {command.split()[0] for command in commands(README)} >= {"check", "score", "submit", "leaderboard"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_path_on_a_page_is_there(page):
    written = {"leaderboard/index.html", "leaderboard/mappers/"}  # by commands
    for path in re.findall(rf"`((?:{ROOMS})/[a-z_0-9/.-]*)`", page.read_text(encoding="utf-8")):
        assert path in written or (ROOT / path).exists(), path


def test_the_mapper_of_the_guide_keeps_to_the_protocol(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("GRAFTBENCH_CACHE", str(tmp_path))
    guide = blocks(ROOT / "docs" / "guide.md", "python")
    (tmp_path / "mine.py").write_text(next(block for block in guide if "class Mine" in block))
    assert main(["check", f"{tmp_path / 'mine.py'}:Mine", "--option", "ridge=1e-6"]) == 0, capsys.readouterr().out
