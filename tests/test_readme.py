import importlib.util
import re
from pathlib import Path

import pytest

from graftbench.cli.main import main

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"


@pytest.mark.slow
def test_the_tables_are_those_of_the_entries_that_ship():
    spec = importlib.util.spec_from_file_location("tables", ROOT / "docs" / "tables.py")
    tables = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tables)
    entries = tables.shipped()
    for path in tables.PAGES:
        page = path.read_text(encoding="utf-8")
        assert tables.BLOCK.search(page)
        assert tables.with_tables(page, entries) == page


def test_the_mapper_of_the_readme_keeps_to_the_protocol(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("GRAFTBENCH_CACHE", str(tmp_path))
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
    (tmp_path / "mine.py").write_text(next(block for block in blocks if "class Mine" in block))
    assert main(["check", f"{tmp_path / 'mine.py'}:Mine", "--option", "ridge=1e-6"]) == 0, capsys.readouterr().out
