import re
from pathlib import Path

from graftbench.benchmark.cli import main

README = Path(__file__).parents[1] / "README.md"


def test_the_mapper_of_the_readme_keeps_to_the_protocol(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("GRAFTBENCH_CACHE", str(tmp_path))
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
    (tmp_path / "mine.py").write_text(next(block for block in blocks if "class Mine" in block))
    assert main(["check", f"{tmp_path / 'mine.py'}:Mine", "--option", "ridge=1e-6"]) == 0, capsys.readouterr().out
