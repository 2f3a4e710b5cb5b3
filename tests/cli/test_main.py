import argparse
import os
import signal
import subprocess
import sys

import pytest
from rich.console import Console

from graftbench.cli.main import main
from graftbench.cli.options import add_judge_options, judge_named


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GRAFTBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "200")


def test_help_starts_without_torch_and_transformers():
    code = """
import sys
from graftbench.cli.main import main
try:
    main(["--help"])
except SystemExit:
    pass
loaded = {"torch", "transformers", "lm_eval", "bandit"} & set(sys.modules)
assert not loaded, loaded
"""
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.parametrize(
    ("command", "runs", "more"),
    [
        (["zoo", "list"], "zoo._list", ""),
        (["leaderboard", "verify", "--rerun"], "verify._verify", ""),
        (["score", "ridge"], "score._score", "; the same command goes on from here"),
        (["sweep"], "sweep._sweep", "; the same command goes on from here"),
    ],
)
def test_a_request_to_end_is_an_interruption_that_says_so(command, runs, more, capsys, monkeypatch):
    cleared, before = [], signal.getsignal(signal.SIGTERM)

    def stopped(_):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            cleared.append("in order")

    monkeypatch.setattr(f"graftbench.cli.{runs}", stopped)
    assert main(command) == 143
    assert capsys.readouterr().err == f"graftbench: stopped{more}.\n"
    assert cleared == ["in order"]
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("columns", [80, 200])
def test_list_names_every_model_on_a_terminal_of_any_width(capsys, monkeypatch, columns):
    monkeypatch.setattr("graftbench.cli.zoo._console", Console(width=columns))
    assert main(["zoo", "list"]) == 0
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= columns
    assert shown.count("HATE") == 4
    for family in ("llama-s", "llama-m", "qwen2-s", "gemma2-s"):
        for version in ("base", "instruct", "hate", "code", "corrupted"):
            assert f"{family}-{version}" in shown


@pytest.mark.parametrize("command", ["show", "check", "train"])
def test_an_unknown_name_is_one_sentence_with_the_known_ones_and_a_traceback_in_the_log(command, capsys, tmp_path):
    assert main(["zoo", command, "llama-m-hat"]) == 2
    message = capsys.readouterr()
    assert "There is no zoo model 'llama-m-hat'. Did you mean llama-m-hate? Known models: llama-s-base," in message.err
    assert "Traceback" not in message.out + message.err
    assert "Traceback" in (tmp_path / "cache" / "graftbench.log").read_text()


def test_a_zoo_without_the_model_says_how_to_make_it(capsys, tmp_path):
    assert main(["zoo", "check", "llama-s-hate", "--zoo", str(tmp_path)]) == 2
    assert (
        f"There is no llama-s-hate in {tmp_path}; `graftbench zoo train llama-s-hate --out {tmp_path}` makes one."
        in (capsys.readouterr().err)
    )


def test_an_output_folder_that_cannot_be_made_is_named(capsys, tmp_path):
    (tmp_path / "file").write_text("")
    assert main(["zoo", "train", "llama-s-base", "--out", str(tmp_path / "file" / "zoo")]) == 2
    assert "cannot be made: Not a directory" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "device", "measure"), [([], "cpu", True), (["--device", "cuda:1", "--no-check"], "cuda:1", False)]
)
def test_where_the_zoo_is_trained_and_whether_it_is_measured_can_be_said(monkeypatch, given, device, measure):
    asked = {}

    def train(names, out, workers, device, console, *, measure):
        asked.update(names=[str(name) for name in names], device=device, measure=measure)
        return 0

    monkeypatch.setattr("graftbench.benchmark.zoo.training.train.train", train)
    assert main(["zoo", "train", "llama-s-base", *given]) == 0
    assert asked == {"names": ["llama-s-base"], "device": device, "measure": measure}


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ([], {}),
        (["--temperature", "none", "--max-tokens", "none"], {"temperature": None, "max_tokens": None}),
        (["--temperature", "0.5", "--max-tokens", "900"], {"temperature": 0.5, "max_tokens": 900}),
        (["--deadline", "1.5"], {"deadline": 1.5}),
    ],
)
def test_requests_of_a_judge_are_set_or_left_out_on_the_command_line(given, named):
    parser = argparse.ArgumentParser()
    parser.add_argument("judge")
    add_judge_options(parser)
    assert judge_named(parser.parse_args(["llm:refusal", *given])) == {"judge": "llm:refusal", **named}


@pytest.mark.parametrize(
    "given", [["--temperature", "warm"], ["--temperature", "-1"], ["--max-tokens", "0"], ["--deadline", "0"]]
)
def test_a_setting_of_requests_that_makes_no_sense_is_refused(given, capsys):
    parser = argparse.ArgumentParser()
    add_judge_options(parser)
    with pytest.raises(SystemExit):
        parser.parse_args(given)
    assert given[1] in capsys.readouterr().err


def test_a_vector_is_written_to_a_file_and_not_to_a_folder(capsys, tmp_path):
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text('{"desired": "Yes.", "undesired": "No."}\n')
    assert main(["vector", "llama-s-hate", str(pairs), "--site", "2", "--out", str(tmp_path)]) == 2
    assert f"{tmp_path} is a folder: name a file with --out." in capsys.readouterr().err
