"""What a submission has to be: of its own rows, whole, on the same ground as the others, with its source."""

import json
import subprocess

import pytest

from graftbench.benchmark.cli import main
from graftbench.benchmark.headline import headline
from graftbench.benchmark.mappers.sources import sha256_of
from graftbench.leaderboard.entries import entry_text, file_name
from tests.benchmark.test_assemble import result
from tests.leaderboard.planted import VARIANTS, entry, of, rows_of, run_of, suite_of


@pytest.fixture
def board(tmp_path):
    return tmp_path / "board"


def submitted(run, board):
    return main(["submit", str(run), "--leaderboard", str(board)])


def verified(board, *more):
    return main(["leaderboard", "verify", "--leaderboard", str(board), *more])


def refused(capsys, told):
    said = capsys.readouterr().err
    assert told in said
    assert said.count("\n") == 1
    return True


def test_bits_that_are_not_those_of_the_rows_are_refused(tmp_path, board, capsys):
    run = run_of(tmp_path / "run", entry("mine", *of(0.9)), rows=list(rows_of(entry("mine", *of(0.5)))))
    assert submitted(run, board) == 2
    assert refused(capsys, "the bits of mapped are not those of its rows")
    assert not board.exists()


def test_success_that_is_not_gone_and_good_is_refused(tmp_path, board, capsys):
    found = entry("mine", *of(0.9))
    rows = [row | {"good": False} if row["condition"] == "mapped" else row for row in rows_of(found)]
    assert submitted(run_of(tmp_path / "run", found, rows=rows), board) == 2
    assert refused(capsys, "the rows of mapped call something success that is not gone and good")


def test_parts_of_success_that_are_not_those_of_the_rows_are_refused(tmp_path, board, capsys):
    found = entry("mine", *of(0.9))
    rows = [row | {"gone": row["success"]} for row in rows_of(found)]
    assert submitted(run_of(tmp_path / "run", found, rows=rows), board) == 2
    assert refused(capsys, "rates.unsteered.gone is 1.0, and the rows say 0.0000")


def test_a_run_without_its_rows_or_suite_is_refused(tmp_path, board, capsys):
    run_of(tmp_path / "run", entry("mine", *of(0.9)))
    (tmp_path / "run" / "suite.json").unlink()
    assert submitted(tmp_path / "run", board) == 2
    assert refused(capsys, "suite.json holds no suite")
    (tmp_path / "run" / "rows.parquet").write_bytes(b"PAR1")
    assert submitted(tmp_path / "run", board) == 2
    assert refused(capsys, "rows.parquet cannot be read")


def test_a_cell_that_was_left_out_or_doubled_is_found(tmp_path, board, capsys):
    one, other = of(0.9)
    assert submitted(run_of(tmp_path / "less", entry("mine", one)), board) == 2
    assert refused(capsys, f"backdoor_removal {VARIANTS[1]} a->b task seed 0 is missing")
    assert submitted(run_of(tmp_path / "more", entry("mine", one, other, other)), board) == 2
    assert refused(capsys, "is in it 2 times, and 1 times in the suite")


def test_another_suite_beside_the_run_is_found(tmp_path, board, capsys):
    run = run_of(tmp_path / "run", entry("mine", *of(0.9)), suite_of(max_new_tokens=9))
    assert submitted(run, board) == 2
    assert refused(capsys, "it says that it is of the suite")


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        ([result(native=0.7, variant=name) for name in VARIANTS], "the answers under native are others"),
        ([result(random=0.3, variant=name) for name in VARIANTS], "the answers under random are others"),
        ([result(variant=name, models={"source": "x"}) for name in VARIANTS], "the models are others"),
        ([result(variant=name, baseline="unsteered") for name in VARIANTS], "the baseline is unsteered, and elsewhere"),
    ],
)
def test_entries_on_another_ground_are_refused(tmp_path, board, capsys, cells, told):
    assert submitted(run_of(tmp_path / "one", entry("one", *of(0.5))), board) == 0
    assert submitted(run_of(tmp_path / "other", entry("other", *cells)), board) == 2
    assert refused(capsys, told)
    assert len(list((board / "entries").iterdir())) == 1


def test_a_control_that_is_not_there_is_found(tmp_path, board, capsys):
    record = json.loads(entry("mine", *of(0.9)).model_dump_json())
    del record["cells"][0]["bits"]["native"]
    (tmp_path / "entry.json").write_text(json.dumps(record))
    assert main(["leaderboard", "verify", str(tmp_path / "entry.json")]) == 1
    assert "native has neither bits nor a reason" in capsys.readouterr().out


def with_source(tmp_path, text="class Mine: ...\n"):
    folder = tmp_path / "run" / "source"
    folder.mkdir(parents=True)
    (folder / "mine.py").write_text(text)
    found = entry("mine", *of(0.9), files={"mine.py": sha256_of(folder / "mine.py")})
    found = found.model_copy(update={"mapper": found.mapper.model_copy(update={"source": "mine.py:Mine"})})
    return run_of(tmp_path / "run", found), found


def test_the_source_of_a_mapper_in_a_file_is_kept_with_it(tmp_path, board, capsys):
    run, found = with_source(tmp_path)
    assert submitted(run, board) == 0
    kept = board / "mappers" / file_name(found).removesuffix(".json") / "mine.py"
    assert kept.read_text() == "class Mine: ...\n"
    assert verified(board) == 0
    kept.write_text("import os\n")
    assert verified(board) == 1
    assert "mine.py is not the file that was scored" in capsys.readouterr().out


def test_a_source_that_was_changed_after_the_run_is_refused(tmp_path, board, capsys):
    run, _ = with_source(tmp_path)
    (tmp_path / "run" / "source" / "mine.py").write_text("import os\n")
    assert submitted(run, board) == 2
    assert refused(capsys, "mine.py is not the file that was scored: score the mapper again")
    assert not board.exists()


@pytest.mark.parametrize("name", ["../mine.py", "/etc/mine.py", "mine", ".mine.py", "a b.py"])
def test_files_with_names_that_lead_elsewhere_are_refused(tmp_path, board, capsys, name):
    found = entry("mine", *of(0.9), files={name: "0" * 64})
    assert submitted(run_of(tmp_path / "run", found), board) == 2
    assert refused(capsys, "is no name of a source file")
    assert not board.exists()


def test_what_a_mapper_from_elsewhere_was_fitted_to_is_kept(tmp_path, board, capsys):
    found = entry("mine", *of(0.9))
    found = found.model_copy(update={"mapper": found.mapper.model_copy(update={"source": "not_built_in"})})
    run_of(tmp_path / "run", found)
    assert submitted(tmp_path / "run", board) == 2
    assert refused(capsys, "holds no fitted mapper")
    (tmp_path / "run" / "mappers" / "cell").mkdir(parents=True)
    (tmp_path / "run" / "mappers" / "cell" / "mapper.safetensors").write_bytes(b"0")
    assert submitted(tmp_path / "run", board) == 0
    stem = file_name(found).removesuffix(".json")
    assert (board / "mappers" / stem / "cell" / "mapper.safetensors").read_bytes() == b"0"


def test_a_leaderboard_that_is_not_what_its_entries_make_is_found(tmp_path, board, capsys):
    for name, rate in (("good", 0.8), ("poor", 0.3)):
        assert submitted(run_of(tmp_path / name, entry(name, *of(rate))), board) == 0
    assert main(["leaderboard", "build", "--leaderboard", str(board)]) == 0
    assert verified(board) == 0
    text = (board / "leaderboard.json").read_text()
    (board / "leaderboard.json").write_text(text.replace('"poor"', '"best"'))
    assert verified(board) == 1
    assert "it is not what `graftbench leaderboard build` makes of its entries" in capsys.readouterr().out


def test_an_entry_that_cannot_be_read_does_not_hide_the_others(tmp_path, board, capsys):
    assert submitted(run_of(tmp_path / "run", entry("mine", *of(0.8))), board) == 0
    (board / "entries" / "broken.json").write_text("{")
    assert verified(board) == 1
    told = capsys.readouterr().out
    assert "broken.json is no entry" in told
    assert "follows from its bits" in told


def test_what_changed_since_another_revision_is_told_row_by_row(tmp_path, board, capsys):
    def git(*words):
        subprocess.run(["git", "-C", str(board), "-c", "user.name=a", "-c", "user.email=a", *words], check=True)

    ours = entry("ours", *of(0.8))
    for found in (ours, entry("gone", *of(0.5))):
        assert submitted(run_of(tmp_path / found.mapper.name, found), board) == 0
    assert main(["leaderboard", "build", "--leaderboard", str(board)]) == 0
    git("init", "-q", "-b", "main")
    git("add", "leaderboard.json")
    git("commit", "-qm", "the first")
    assert verified(board, "--against", "main") == 0
    assert "No row is other than at main." in capsys.readouterr().out
    (board / "entries" / file_name(entry("gone", *of(0.5)))).unlink()
    assert submitted(run_of(tmp_path / "new", entry("new", *of(0.9))), board) == 0
    assert submitted(run_of(tmp_path / "ours", entry("ours", *of(0.3))), board) == 0
    verified(board, "--against", "main")
    told = capsys.readouterr().out
    assert "task: new (00000000) is new: rank 1, 100.0" in told
    assert "task: gone (00000000) is gone: it was rank 2, 50.0" in told
    assert "task: ours (00000000): rank 1, 87.5" in told
    assert "became rank 2, 25.0" in told
    assert verified(board, "--against", "nowhere") == 2
    assert "nowhere has no leaderboard" in capsys.readouterr().err


def test_headline_and_cells_of_a_part_are_no_submission(tmp_path, board, capsys):
    part = entry("mine", *of(0.5))
    part = part.model_copy(update={"headline": headline(part.cells, filtered=True)})
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "entry.json").write_text(entry_text(part))
    assert submitted(tmp_path / "run", board) == 2
    assert refused(capsys, "has no score, for cells of the suite were left out")


def test_other_options_under_the_same_name_do_not_take_an_entry_s_place(tmp_path, board, capsys):
    def with_options(**options):
        found = entry("mine", *of(0.9))
        return found.model_copy(update={"mapper": found.mapper.model_copy(update={"options": options})})

    assert submitted(run_of(tmp_path / "one", with_options()), board) == 0
    before = [file.read_bytes() for file in (board / "entries").iterdir()]
    assert submitted(run_of(tmp_path / "other", with_options(ridge=0.1)), board) == 2
    assert refused(capsys, "of another source or with other options")
    assert [file.read_bytes() for file in (board / "entries").iterdir()] == before
