"""A leaderboard of several suites: each is kept with its first entry, and ranked without the others."""

import json
import shutil
import subprocess

import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.results.entry_files import entry_text, read_entry
from graftbench.benchmark.results.schema import SuiteIdentity
from graftbench.benchmark.runs.suite import read_suite_file
from graftbench.cli.main import main
from graftbench.leaderboard import rerun
from graftbench.leaderboard.changes import changes_since
from graftbench.leaderboard.entries import by_suite, file_name
from graftbench.leaderboard.ranking import leaderboard_of, ranking_of
from graftbench.leaderboard.suites import stored_suite, suite_conflicts, suite_file
from tests.benchmark.runs.test_entry import result
from tests.leaderboard.planted import SUITE, VARIANTS, entry, of, run_of, suite_of

SMALL = suite_of(name="small", max_new_tokens=4)


def of_small(name, rate):
    """An entry of the suite `small`, in which native does less than in `pocket`."""
    cells = [result(native=0.75, mapped=rate, variant=variant) for variant in VARIANTS]
    return entry(name, *cells, suite=SMALL)


POCKET = [entry("good", *of(0.8)), entry("poor", *of(0.3))]
SMALLS = [of_small("good", 0.2), of_small("poor", 0.7)]


def command(*words, board):
    return main([*map(str, words), "--leaderboard", str(board)])


def submitted(tmp_path, submission, suite):
    run = tmp_path / f"{suite.name}-{submission.mapper.name}"
    return command("submit", run_of(run, submission, suite), board=tmp_path / "board")


@pytest.fixture
def board(tmp_path, monkeypatch):
    """A leaderboard with two mappers on each of two suites."""
    monkeypatch.setattr("graftbench.leaderboard.submit.row_mismatches", lambda *_: [])  # looked at elsewhere
    for submission in (*POCKET, *SMALLS):
        assert submitted(tmp_path, submission, SMALL if submission in SMALLS else SUITE) == 0
    assert command("leaderboard", "build", board=tmp_path / "board") == 0
    return tmp_path / "board"


def ranked(ranking):
    return [(row["mapper"], row["rank"]) for row in ranking["scores"]["fitted"]]


def test_a_mapper_is_ranked_among_those_of_its_suite_alone():
    suites = leaderboard_of([*SMALLS, *POCKET])["suites"]
    assert {name: ranked(suite) for name, suite in suites.items()} == {
        "pocket": [("good", [1, 1]), ("poor", [2, 2])],
        "small": [("poor", [1, 1]), ("good", [2, 2])],
    }
    assert suites == {"pocket": ranking_of(POCKET), "small": ranking_of(SMALLS)}
    assert [suite["hash"] for suite in suites.values()] == [SUITE.hash, SMALL.hash]


def test_entries_are_grouped_by_suite_in_the_order_of_names():
    assert list(by_suite([*SMALLS, *POCKET]).items()) == [("pocket", POCKET), ("small", SMALLS)]


def test_a_submission_finds_its_suite_and_the_first_brings_it(tmp_path, capsys):
    board = tmp_path / "board"
    for submission, suite, new in (
        (POCKET[0], SUITE, ", which is new to the leaderboard,"),
        (SMALLS[0], SMALL, ", which is new to the leaderboard,"),
        (SMALLS[1], SMALL, ""),
        (SMALLS[1], SMALL, ""),
    ):
        assert submitted(tmp_path, submission, suite) == 0
        place = board / "entries" / file_name(submission)
        assert f"The entry of the suite {suite.name}{new} is {place}." in capsys.readouterr().out
        assert stored_suite(board, suite.name) == suite
    assert {file.name for file in (board / "suites").iterdir()} == {"pocket.json", "small.json"}
    assert len(list((board / "entries").iterdir())) == 3


def test_a_board_of_two_suites_is_verified_and_names_them(board, capsys):
    assert command("leaderboard", "verify", board=board) == 0
    said = capsys.readouterr().out
    assert said.count("follows from its bits and its source and its suite pocket") == 2
    assert said.count("follows from its bits and its source and its suite small") == 2
    rankings = json.loads((board / "leaderboard.json").read_text())["suites"]
    assert ranked(rankings["small"]) == [("poor", [1, 1]), ("good", [2, 2])]


def test_an_entry_is_compared_with_those_of_its_suite_alone(board, tmp_path, capsys):
    other = entry("good", *of(0.6), sha256="1" * 64)  # of a name that both suites have
    assert submitted(tmp_path, other, SUITE) == 2
    assert "on the suite pocket there is a mapper called good already" in capsys.readouterr().err
    strange = entry("strange", *of(0.6), suite=SMALL)  # native does in it what it does in the suite pocket
    assert submitted(tmp_path, strange, SMALL) == 2
    assert "on the suite small strange and " in capsys.readouterr().err
    assert len(list((board / "entries").iterdir())) == 4


def test_a_suite_of_the_same_name_that_measures_something_else_is_refused(board, tmp_path, capsys):
    before = {file: file.read_bytes() for file in board.rglob("*") if file.is_file()}
    for name in ("small", "Small"):
        newer = suite_of(name=name, max_new_tokens=5)
        assert submitted(tmp_path, entry("mine", *of(0.5), suite=newer), newer) == 2
        there = f"there is a suite called small already, and it is {SMALL.hash}, not {newer.hash}"
        assert f"{there}: one that measures something else needs another `name`." in capsys.readouterr().err
    assert {file: file.read_bytes() for file in board.rglob("*") if file.is_file()} == before


def test_a_newer_version_of_a_suite_takes_its_place_when_no_entry_of_the_older_is_left(board, tmp_path):
    newer = suite_of(name="small", max_new_tokens=5)
    for submission in SMALLS:
        (board / "entries" / file_name(submission)).unlink()
    assert submitted(tmp_path, entry("mine", *of(0.5), suite=newer), newer) == 0
    assert stored_suite(board, "small").hash == newer.hash
    assert stored_suite(board, "pocket") == SUITE


def test_an_entry_of_an_unknown_suite_and_a_suite_of_no_entry_are_found(board, capsys):
    (board / "suites" / "small.json").rename(board / "suites" / "other.json")
    assert command("leaderboard", "verify", board=board) == 1
    assert capsys.readouterr().out.count(f"{board} has no suite small: `graftbench submit` writes") == 2
    for submission in SMALLS:
        (board / "entries" / file_name(submission)).unlink()
    assert command("leaderboard", "verify", board=board) == 1
    assert "suites/other.json belongs to no entry" in capsys.readouterr().out


def test_an_entry_that_claims_a_suite_that_it_was_not_scored_on_is_found(board, capsys):
    claimed = SMALLS[0].model_copy(update={"suite": SuiteIdentity(name="pocket", hash=SMALL.hash)})
    path = board / "entries" / file_name(claimed)
    path.write_text(entry_text(claimed))
    assert command("leaderboard", "verify", path, board=board) == 1
    stored = f"the suite stored with it is pocket {SUITE.hash}"
    assert f"it says that its suite is pocket {SMALL.hash}, and {stored}" in capsys.readouterr().out


def test_two_suites_that_were_put_under_one_name_by_hand_are_found(board, capsys):
    other = suite_of(name="Small", max_new_tokens=4)
    (board / "suites" / "Small.json").write_text(other.model_dump_json())
    stored = read_entry(board / "entries" / file_name(SMALLS[0]))
    copied = stored.model_copy(update={"suite": SuiteIdentity(name=other.name, hash=other.hash)})
    (board / "entries" / file_name(copied)).write_text(entry_text(copied))
    mappers = [board / "mappers" / file_name(one).removesuffix(".json") for one in (stored, copied)]
    shutil.copytree(*mappers)
    assert command("leaderboard", "build", board=board) == 2
    assert "The leaderboard cannot be built: there is a suite called" in capsys.readouterr().err
    assert command("leaderboard", "verify", board=board) == 1
    assert "leaderboard.json: there is a suite called" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["../small", "a b", "", ".small", "x" * 65])
def test_names_of_suites_that_lead_elsewhere_are_refused(tmp_path, name):
    with pytest.raises(UserError, match="On a leaderboard the name of a suite is up to 64 letters"):
        suite_file(tmp_path, name)


def test_suites_whose_files_would_have_the_same_names_are_refused():
    one, other = (SuiteIdentity(name=name, hash="0" * 8 + end * 8) for name, end in (("one", "1"), ("other", "2")))
    (conflict,) = suite_conflicts([one, other, one])
    assert conflict.startswith("files of the suites one and other would have the same names")
    assert suite_conflicts([one, SuiteIdentity(name="other", hash="3" * 16)]) == []


def test_cells_are_run_again_with_the_suite_of_the_entry(board, monkeypatch):
    ran = []

    def rerun_cells(submission, suite, *_, **__):
        ran.append((submission.suite.name, suite))
        return []

    monkeypatch.setattr(rerun, "rerun_cells", rerun_cells)
    assert command("leaderboard", "verify", "--rerun", "1", board=board) == 0
    assert len(ran) == 4
    assert dict(ran) == {"pocket": SUITE, "small": SMALL}


def test_changes_are_reported_with_their_suite(board):
    def git(*words):
        subprocess.run(["git", "-C", str(board), "-c", "user.name=a", "-c", "user.email=a", *words], check=True)

    text = (board / "leaderboard.json").read_text()
    (board / "leaderboard.json").write_text(json.dumps(leaderboard_of(POCKET)))
    git("init", "-q", "-b", "main")
    git("add", "leaderboard.json")
    git("commit", "-qm", "one suite")
    (board / "leaderboard.json").write_text(text)
    rows = [line for line in changes_since("main", board) if "fitted: " in line]
    assert [line.partition(" is new: ")[0] for line in rows] == [
        "small, fitted: good (00000000)",
        "small, fitted: poor (00000000)",
    ]
    assert "suites/small.json is new" in changes_since("main", board)


def test_a_stored_suite_is_the_suite_of_the_run(board, tmp_path):
    assert read_suite_file(suite_file(board, "small")) == read_suite_file(tmp_path / "small-good" / "suite.json")
