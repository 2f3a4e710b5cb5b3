"""Changes since another revision: all of them, whatever is in the folder, and nothing else."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from graftbench.cli.main import main
from graftbench.leaderboard import changes
from graftbench.leaderboard.entries import file_name
from tests.leaderboard.planted import entry, of, run_of

OURS = entry("ours", *of(0.8))


@pytest.fixture
def board(tmp_path):
    """A leaderboard in a repository that ignores its page, as it was committed."""
    folder = tmp_path / "board"
    assert main(["submit", run_of(tmp_path / "run", OURS), "--leaderboard", str(folder)]) == 0
    assert main(["leaderboard", "build", "--leaderboard", str(folder)]) == 0
    (folder / "sweeps").mkdir()
    (folder / "sweeps" / "pocket.json").write_text("[]")
    (folder / "build.py").write_text("one = 1\n")
    (folder / "linked").symlink_to("build.py")
    (tmp_path / ".gitignore").write_text("board/index.html\nrun/\n")
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "the first")
    return folder


def git(folder, *words):
    subprocess.run(["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a", *words], check=True)


def changes_of(board, capsys, revision="main"):
    capsys.readouterr()
    main(["leaderboard", "verify", "--leaderboard", str(board), "--against", revision])
    lines = capsys.readouterr().out.splitlines()
    assert all(line.isprintable() for line in lines)
    return lines[2:]  # after the entry and the leaderboard


def test_nothing_is_reported_where_nothing_changed(board, capsys):
    (board / "index.html").write_text("ignored")
    os.utime(board / "build.py", (0, 0))
    assert changes_of(board, capsys) == ["No row differs from main."]


def test_every_file_of_the_folder_that_changed_is_reported(board, capsys):
    suite = board / "suites" / "pocket.json"
    suite.write_text(suite.read_text() + "\n")
    (board / "sweeps" / "pocket.json").unlink()
    (board / "build.py").write_text("one = 1\ntwo = 2\n")
    (board / "page").mkdir()
    (board / "page" / "more.py").write_text("more\n")
    (board / "linked").unlink()
    (board / "linked").write_text("a file\n")
    assert changes_of(board, capsys) == [
        "No row differs from main.",
        "build.py changed: 1 lines added, 0 removed",
        "linked became a link, or is no longer one",
        "page/more.py is new",
        "suites/pocket.json changed: 1 lines added, 0 removed",
        "sweeps/pocket.json is gone",
    ]


def test_what_was_committed_since_is_reported_as_what_was_not(board, capsys):
    (board / "build.py").write_text("two = 2\n")
    (board / "more.py").write_text("more\n")
    git(board, "checkout", "-q", "-b", "other")
    git(board, "add", ".")
    git(board, "commit", "-qm", "more")
    assert changes_of(board, capsys)[1:] == ["build.py changed: 1 lines added, 1 removed", "more.py is new"]


def test_a_mode_and_what_git_lost_are_reported(board, capsys):
    (board / "build.py").chmod(0o755)
    git(board, "rm", "-q", "--cached", "suites/pocket.json")
    assert changes_of(board, capsys)[1:] == [
        "build.py changed: its mode only",
        "suites/pocket.json is here, but no longer in git",
    ]


@pytest.mark.parametrize(
    ("edit", "counted"),
    [
        (lambda lines: [lines[1], lines[0]], "1 lines added, 1 removed"),  # another order
        (lambda lines: lines[:1], "0 lines added, 1 removed"),
        (lambda lines: [lines[0], *lines], "1 lines added, 0 removed"),
        (lambda lines: [lines[0], lines[1].replace("x", "y")], "1 lines added, 1 removed"),
    ],
)
def test_cells_that_are_gone_or_moved_are_counted(board, capsys, edit, counted):
    path = board / "entries" / file_name(OURS)
    path.write_text("cell x 1\ncell x 2\n")
    git(board, "commit", "-qam", "short")
    path.write_text("\n".join(edit(["cell x 1", "cell x 2"])) + "\n")
    assert f"entries/{path.name} changed: {counted}" in changes_of(board, capsys)


def test_names_of_files_forge_no_line(board, capsys):
    for name in (b"a.py is gone\nNo row differs from main.", b"\xff.py"):
        Path(os.fsdecode(os.fsencode(board) + b"/" + name)).write_text("")
    lines = changes_of(board, capsys)
    assert lines[1:] == ["a.py is gone\\nNo row differs from main. is new", "\\udcff.py is new"]


def hostile():
    def row(**more):
        known = {"mapper": "ours", "sha256": "0" * 64, "rank": [1, 2], "score": 50.0, "low": 40.0, "high": 60.0}
        known |= {"reason": None}
        return {name: value for name, value in (known | more).items() if value != "left out"}

    def rows(*given):
        return json.dumps({"suites": {"pocket": {"scores": {"carried": list(given)}}}})

    return {
        "a row that is a number": '{"suites":{"pocket":{"scores":{"carried":[1]}}}}',
        "a number that is nothing": '{"suites":{"pocket":{"scores":{"carried":null}}}}',
        "a suite that is nothing": '{"suites":{"pocket":null}}',
        "suites in a list": '{"suites":["pocket"]}',
        "no suites": "{}",
        "a board of before, with a ranking for each track": '{"suites":{"pocket":{"tracks":{"task":[]}}}}',
        "a rank that is no range": rows(row(rank=1)),
        "no text": b"\xff\xfe\x00",
        "deep": "[" * 100_000,
        "deeper": '{"suites":' * 100_000,
        "no hash": rows(row(sha256="left out")),
        "a hash that is a number": rows(row(sha256=5)),
        "a mapper that is a list": rows(row(mapper=[])),
        "a mapper of many lines": rows(row(mapper="\x1b[2J\nNo row differs from main.")),
        "a reason of many lines": rows(row(rank=None, score=None, low=None, high=None, reason="x\ny")),
        "a score that is a text": rows(row(score="a")),
        "no score": rows(row(score="left out")),
        "no interval": rows(row(low=None)),
        "a score that is none": rows(row(score=float("nan"))),
        "a score beyond all": rows(row(score=1e300)),
        "two rows of one mapper": rows(row(), row(score=99.0)),
    }


@pytest.mark.parametrize("text", hostile().values(), ids=hostile())
def test_a_leaderboard_that_cannot_be_read_is_reported_now_and_then(board, capsys, text):
    (board / "leaderboard.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    assert unreadable(board, capsys, f"There is no leaderboard.json in {board} that can be read.")
    git(board, "commit", "-qam", "hostile")
    git(board, "checkout", "-q", "main~1", "--", ".")
    assert unreadable(board, capsys, f"There is no leaderboard.json in {board} at main that can be read.")


def unreadable(board, capsys, sentence):
    capsys.readouterr()
    assert main(["leaderboard", "verify", "--leaderboard", str(board), "--against", "main"]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"graftbench: {sentence}")
    assert said.count("\n") == 1
    return True


@pytest.mark.parametrize("revision", ["nowhere", "--output=x", "main:board/suites", "", "main..main"])
def test_what_is_no_revision_is_reported(board, capsys, revision):
    assert main(["leaderboard", "verify", "--leaderboard", str(board), f"--against={revision}"]) == 2
    assert f"There is no leaderboard.json in {board} at {revision} that can be read." in capsys.readouterr().err


def test_a_leaderboard_of_before_that_is_too_large_is_not_read(board, capsys, monkeypatch):
    monkeypatch.setattr("graftbench.leaderboard.changes.MAX_ENTRY_BYTES", 10)
    assert unreadable(board, capsys, f"There is no leaderboard.json in {board} at main that can be read.")


def test_a_folder_that_git_cannot_compare_is_reported_and_is_not_the_same(board, capsys, monkeypatch):
    git_output = changes._git
    monkeypatch.setattr(changes, "_git", lambda folder, *words: None if "diff" in words else git_output(folder, *words))
    assert unreadable(board, capsys, f"git cannot list the changed files of {board}.")
