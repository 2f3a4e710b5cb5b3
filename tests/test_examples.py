from pathlib import Path

from graftbench.cli.main import main

EXAMPLE = Path(__file__).parents[1] / "examples" / "my_mapper.py"


def test_the_example_mapper_keeps_to_the_protocol(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("GRAFTBENCH_CACHE", str(tmp_path))
    assert main(["check", f"{EXAMPLE}:MyMapper"]) == 0
    assert "It keeps to the protocol." in capsys.readouterr().out
