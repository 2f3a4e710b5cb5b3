"""A submission has to follow from its rows, be whole, share the references of the others, and have its source."""

import json
import shutil
import subprocess

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from graftbench.benchmark.core.hashing import sha256_of
from graftbench.benchmark.mappers.info import describe, submission_hash
from graftbench.benchmark.results.consistency import problems
from graftbench.benchmark.results.entry_files import entry_text, read_entry
from graftbench.benchmark.results.estimates import rate_of, resamples_of
from graftbench.benchmark.results.schema import CellResult, Entry
from graftbench.benchmark.results.scores import headline
from graftbench.benchmark.results.transfers import cell_transfer
from graftbench.cli.main import main
from graftbench.leaderboard.entries import file_name
from tests.benchmark.runs.test_entry import result
from tests.leaderboard.planted import VARIANTS, entry, of, rows_of, run_of, suite_of


@pytest.fixture
def board(tmp_path):
    return tmp_path / "board"


def submitted(run, board):
    return main(["submit", str(run), "--leaderboard", str(board)])


def verified(board, *more):
    return main(["leaderboard", "verify", "--leaderboard", str(board), *more])


def refused(capsys, message):
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    return True


def test_bits_that_are_not_those_of_the_rows_are_refused(tmp_path, board, capsys):
    run = run_of(tmp_path / "run", entry("mine", *of(0.9)), rows=list(rows_of(entry("mine", *of(0.5)))))
    assert submitted(run, board) == 2
    assert refused(capsys, "the bits of mapped are not those of its rows")
    assert not board.exists()


def test_success_that_is_not_gone_and_good_is_refused(tmp_path, board, capsys):
    submission = entry("mine", *of(0.9))
    rows = [row | {"good": False} if row["condition"] == "mapped" else row for row in rows_of(submission)]
    assert submitted(run_of(tmp_path / "run", submission, rows=rows), board) == 2
    assert refused(capsys, "the bits of mapped are not those of its rows")


def test_parts_of_success_that_are_not_those_of_the_rows_are_refused(tmp_path, board, capsys):
    submission = entry("mine", *of(0.9))
    rows = [row | {"gone": row["success"]} for row in rows_of(submission)]
    assert submitted(run_of(tmp_path / "run", submission, rows=rows), board) == 2
    assert refused(capsys, "rates.unsteered.gone is 1.0, and the rows say 0.0000")


def test_a_run_without_its_rows_or_suite_is_refused(tmp_path, board, capsys):
    run_of(tmp_path / "run", entry("mine", *of(0.9)))
    (tmp_path / "run" / "suite.json").unlink()
    assert submitted(tmp_path / "run", board) == 2
    assert refused(capsys, "suite.json cannot be read")
    (tmp_path / "run" / "rows.parquet").write_bytes(b"PAR1")
    assert submitted(tmp_path / "run", board) == 2
    assert refused(capsys, "rows.parquet cannot be read")


def test_a_cell_that_was_left_out_or_doubled_is_found(tmp_path, board, capsys):
    one, other = of(0.9)
    assert submitted(run_of(tmp_path / "less", entry("mine", one)), board) == 2
    assert refused(capsys, f"backdoor_removal {VARIANTS[1]} a->b task seed 0 is missing")
    twice = entry("mine", one, other, other)
    assert submitted(run_of(tmp_path / "more", twice, rows=list(rows_of(entry("mine", one, other)))), board) == 2
    assert refused(capsys, "is in it 2 times, and 1 times in the suite")


def test_another_suite_beside_the_run_is_found(tmp_path, board, capsys):
    run = run_of(tmp_path / "run", entry("mine", *of(0.9)), suite_of(max_new_tokens=9))
    assert submitted(run, board) == 2
    assert refused(capsys, "it says that its suite is")


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([result(native=0.7, variant=name) for name in VARIANTS], "the answers under native differ"),
        ([result(random=0.3, variant=name) for name in VARIANTS], "the answers under random differ"),
        ([result(variant=name, models={"source": "x"}) for name in VARIANTS], "the models differ"),
        ([result(variant=name, baseline="unsteered") for name in VARIANTS], "the baselines are random and unsteered"),
    ],
)
def test_entries_with_other_references_are_refused(tmp_path, board, capsys, cells, message):
    assert submitted(run_of(tmp_path / "one", entry("one", *of(0.5))), board) == 0
    assert submitted(run_of(tmp_path / "other", entry("other", *cells)), board) == 2
    assert refused(capsys, message)
    assert len(list((board / "entries").iterdir())) == 1


def test_a_control_that_is_not_there_is_found(tmp_path, board, capsys):
    record = json.loads(entry_text(entry("mine", *of(0.9))))
    del record["cells"][0]["bits"]["native"]
    (tmp_path / "entry.json").write_text(json.dumps(record))
    assert main(["leaderboard", "verify", str(tmp_path / "entry.json")]) == 1
    assert "native has neither bits nor a reason" in capsys.readouterr().out


MINE = """class Mine:
    name = "mine"
    deterministic = True
"""


def with_source(tmp_path, text=MINE, **more):
    folder = tmp_path / "run" / "source"
    folder.mkdir(parents=True)
    (folder / "mine.py").write_text(text)
    sha256 = sha256_of(folder / "mine.py")
    submission = entry("mine", *of(0.9), files={"mine.py": sha256}, sha256=submission_hash("Mine", sha256))
    submission = of_mapper(submission, source="here/mine.py:Mine", **more)
    return run_of(tmp_path / "run", submission), submission


def of_mapper(submission, **about):
    return submission.model_copy(update={"mapper": submission.mapper.model_copy(update=about)})


def test_the_source_of_a_mapper_in_a_file_is_kept_with_it(tmp_path, board, capsys):
    run, submission = with_source(tmp_path)
    assert submitted(run, board) == 0
    assert main(["leaderboard", "build", "--leaderboard", str(board)]) == 0
    stored = board / "mappers" / file_name(submission).removesuffix(".json") / "mine.py"
    assert stored.read_text() == MINE
    assert verified(board) == 0
    (board / "mappers" / "nobody").mkdir()
    (board / "mappers" / "nobody" / "more.py").write_text("import os\n")
    assert verified(board) == 1
    assert "mappers/nobody belongs to no entry" in capsys.readouterr().out
    (stored.parent / "more.py").write_text("import os\n")
    assert verified(board) == 1
    assert "more.py belongs to no entry" in capsys.readouterr().out
    stored.write_text("import os\n")
    assert verified(board) == 1
    assert "mine.py is not the file that was scored" in capsys.readouterr().out
    entry_file = board / "entries" / file_name(submission)
    assert main(["leaderboard", "verify", str(entry_file.resolve()), "--leaderboard", str(board)]) == 1


@pytest.mark.parametrize(
    ("text", "more", "message"),
    [
        (MINE.replace("True", "False"), {}, "it says that `deterministic` is True, and by"),
        (MINE.replace('"mine"', '"other"'), {}, "it says that `name` is 'mine', and by"),
        (MINE, {"vector_rule": "jacobian"}, "it says that `vector_rule` is 'jacobian', and by"),
        (MINE, {"options": {"no_such": 3}}, "it has no option 'no_such'"),
    ],
)
def test_what_the_file_of_a_mapper_does_not_say_is_refused_and_found(tmp_path, board, capsys, text, more, message):
    run, submission = with_source(tmp_path, text, **more)
    assert submitted(run, board) == 2
    assert refused(capsys, message)
    assert not board.exists()
    path = board / "entries" / file_name(submission)
    path.parent.mkdir(parents=True)
    path.write_text(entry_text(submission))
    shutil.copytree(tmp_path / "run" / "source", board / "mappers" / path.stem)
    (board / "suites").mkdir()
    shutil.copy(tmp_path / "run" / "suite.json", board / "suites" / "pocket.json")
    assert verified(board, str(path)) == 1
    assert message in capsys.readouterr().out


def test_a_source_that_was_changed_after_the_run_is_refused(tmp_path, board, capsys):
    run, _ = with_source(tmp_path)
    (tmp_path / "run" / "source" / "mine.py").write_text("import os\n")
    assert submitted(run, board) == 2
    assert refused(capsys, "mine.py is not the file that was scored: score the mapper again")
    assert main(["leaderboard", "verify", run]) == 1
    assert "mine.py is not the file that was scored" in capsys.readouterr().out
    assert not (board / "entries").exists()


def test_a_hash_that_is_not_that_of_the_source_is_refused(tmp_path, board, capsys):
    _, submission = with_source(tmp_path)
    other = of_mapper(submission, sha256="1" * 64)
    assert submitted(run_of(tmp_path / "run", other), board) == 2
    assert refused(capsys, "the hash of mine is not that of the class 'Mine' in its file")


@pytest.mark.parametrize(
    "edit", [{"sha256": "1" * 64}, {"name": "other"}, {"deterministic": False}, {"vector_rule": "linear"}]
)
def test_what_says_that_it_is_built_in_has_to_be(tmp_path, board, capsys, edit):
    ridge = describe("ridge")
    submission = entry("ridge", *of(0.9), sha256=ridge.sha256)
    about = {"source": "ridge", "deterministic": True, "vector_rule": "difference"}
    submission = of_mapper(submission, **about)
    assert submitted(run_of(tmp_path / "fine", submission), board) == 0
    other = of_mapper(submission, **edit)
    assert (
        main(["leaderboard", "verify", str(board / "entries" / file_name(submission)), "--leaderboard", str(board)])
        == 0
    )
    (board / "entries" / file_name(other)).write_text(entry_text(other))
    assert main(["leaderboard", "verify", str(board / "entries" / file_name(other)), "--leaderboard", str(board)]) == 1
    assert "it is not of the mapper ridge that comes with this graftbench" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["../mine.py", "/etc/mine.py", "mine", ".mine.py", "a b.py"])
def test_files_with_names_that_lead_elsewhere_are_refused(tmp_path, board, capsys, name):
    submission = entry("mine", *of(0.9), files={name: "0" * 64})
    assert submitted(run_of(tmp_path / "run", submission), board) == 2
    assert refused(capsys, "is no name of a source file")
    assert not board.exists()


def test_what_a_mapper_from_elsewhere_was_fitted_to_is_kept(tmp_path, board, capsys):
    submission = entry("mine", *of(0.9))
    submission = of_mapper(submission, source="not_built_in")
    run_of(tmp_path / "run", submission)
    fitted = tmp_path / "run" / "mappers" / "cell" / "mapper.safetensors"
    fitted.rename(tmp_path / "elsewhere")
    assert submitted(tmp_path / "run", board) == 2
    assert refused(capsys, "holds no fitted mapper")
    (tmp_path / "elsewhere").rename(fitted)
    assert submitted(tmp_path / "run", board) == 0
    path = board / "entries" / file_name(submission)
    assert read_entry(path).mapper.fitted == {"cell/mapper.safetensors": sha256_of(fitted)}
    stored = board / "mappers" / path.stem / "cell" / "mapper.safetensors"
    assert stored.read_bytes() == fitted.read_bytes()
    stored.unlink()
    assert verified(board) == 1
    assert "mapper.safetensors is not the file that was scored" in capsys.readouterr().out


def with_cells(submission, *edits):
    """An entry with its first cells edited and everything that follows from them computed again."""
    record = json.loads(submission.model_dump_json())
    for cell, edit in zip(record["cells"], edits, strict=False):
        edit(cell)
    cells = [CellResult.model_validate(cell) for cell in record["cells"]]
    return submission.model_copy(update={"cells": cells, "headline": headline(cells)})


def only_the_first(cell):
    n = len(cell["prompt_ids"])
    best = next(i for i in range(n) if cell["bits"]["mapped"][0][i] and cell["bits"]["native"][0][i])
    for name in ("prompt_ids", "clusters"):
        cell[name] = [cell[name][best]] * n
    cell["bits"] = {name: [[draw[best]] * n for draw in draws] for name, draws in cell["bits"].items()}


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (only_the_first, "a prompt is in it more than once"),
        (
            lambda cell: cell.update(steerable=False, reason="no_direction", transfer=nothing("no_direction")),
            "`steerable` is False, and the bits say True",
        ),
        (lambda cell: cell["bits"].pop("mapped_own_norm"), "mapped_own_norm has neither bits nor a reason"),
        (
            lambda cell: cell["rates"].update(mapped_best={"value": 0.99, "low": 0.9, "high": 1.0}),
            "mapped_best has neither bits nor a reason",
        ),
        (lambda cell: cell["bits"].update(random=cell["bits"]["random"] * 100), "are not a 0 or a 1 for each"),
    ],
)
def test_cells_that_were_made_better_are_found(edit, message):
    assert any(message in what for what in problems(with_cells(entry("mine", *of(0.9)), edit))), message


def nothing(reason):
    return {"value": None, "confidence": None, "prediction": None, "baseline": "random", "reason": reason}


def test_a_transfer_without_a_vector_is_found():
    cells = [result(variant=name, mapped=None, reasons={"mapped": "zero_vector"}) for name in VARIANTS]
    submission = with_cells(
        entry("zero", *cells), lambda cell: cell["transfer"].update(value=1.0, prediction=[1.0, 1.0])
    )
    assert any("it has a transfer, and nothing to have it from" in what for what in problems(submission))


def test_what_is_steerable_without_an_effect_of_native_is_found_and_nothing_breaks():
    def edit(cell):
        cell["bits"]["native"] = [[0] * len(cell["prompt_ids"])]

    record = json.loads(entry("mine", *of(0.9)).model_dump_json())
    edit(record["cells"][0])
    assert any("`steerable` is True, and the bits say False" in what for what in problems(Entry.model_validate(record)))


def test_prompts_that_are_not_those_of_the_rows_are_found(tmp_path, board, capsys):
    submission = entry("mine", *of(0.5))

    def without_the_last(cell):
        cell["prompt_ids"], cell["clusters"] = cell["prompt_ids"][:-1], cell["clusters"][:-1]
        cell["bits"] = {name: [draw[:-1] for draw in draws] for name, draws in cell["bits"].items()}
        cell["n_prompts"] -= 1

    fewer = with_cells(submission, without_the_last)
    short = result(variant=VARIANTS[0], mapped=0.5)
    record = json.loads(fewer.model_dump_json())
    drawn = resamples_of(record["cells"][0]["clusters"], record["cells"][0]["bits"], "random")
    for name, rate in record["cells"][0]["rates"].items():
        rate.update(vars(rate_of(record["cells"][0]["bits"], name, drawn)))
    first = record["cells"][0]
    first["transfer"] = cell_transfer(first["clusters"], first["bits"], "random", drawn).model_dump()
    honest_looking = Entry.model_validate(record)
    assert short.n_prompts == honest_looking.cells[0].n_prompts + 1
    assert problems(honest_looking) == []
    assert submitted(run_of(tmp_path / "run", honest_looking, rows=list(rows_of(submission))), board) == 2
    assert refused(capsys, "the prompts that count are not those of its rows")


def test_seeds_are_not_picked_out(tmp_path, board, capsys):
    cells = [result(variant=name, mapped=0.9, seed=7) for name in VARIANTS]
    assert submitted(run_of(tmp_path / "run", entry("mine", *cells)), board) == 2
    assert refused(capsys, "task seed 0 is missing")


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
    message = capsys.readouterr().out
    assert "broken.json is no entry" in message
    assert message.count("broken.json") == 1
    assert "leaderboard.json: it was not compared, for an entry is wrong" in message
    assert "follows from its bits" in message


def test_what_changed_since_another_revision_is_reported_row_by_row(tmp_path, board, capsys):
    def git(*words):
        subprocess.run(["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a", *words], check=True)

    ours = entry("ours", *of(0.8))
    for submission in (ours, entry("gone", *of(0.5))):
        assert submitted(run_of(tmp_path / submission.mapper.name, submission), board) == 0
    assert main(["leaderboard", "build", "--leaderboard", str(board)]) == 0
    git("init", "-q", "-b", "main")
    git("add", "board")
    git("commit", "-qm", "the first")
    assert verified(board, "--against", "main") == 0
    assert "No row differs from main." in capsys.readouterr().out
    (board / "entries" / file_name(entry("gone", *of(0.5)))).unlink()
    shutil.rmtree(board / "mappers" / file_name(entry("gone", *of(0.5))).removesuffix(".json"))
    assert submitted(run_of(tmp_path / "new", entry("new", *of(0.9))), board) == 0
    assert submitted(run_of(tmp_path / "ours", entry("ours", *of(0.3))), board) == 0
    assert main(["leaderboard", "build", "--leaderboard", str(board)]) == 0
    assert verified(board, "--against", "main") == 0
    message = capsys.readouterr().out
    assert "pocket, fitted: new (00000000) is new: rank 1, 100.0" in message
    assert "pocket, fitted: gone (00000000) is gone: it was rank 2, 50.0" in message
    assert "pocket, fitted: ours (00000000): rank 1, 87.5" in message
    assert "became rank 2, 25.0" in message
    assert f"entries/{file_name(entry('gone', *of(0.5)))} is gone" in message
    assert f"entries/{file_name(ours)} changed: 5 lines added, 5 removed" in message
    assert "/cell/mapper.safetensors is new" in message
    assert verified(board, "--against", "nowhere") == 2
    assert "There is no leaderboard.json in" in capsys.readouterr().err


def test_headline_and_cells_of_a_part_are_no_submission(tmp_path, board, capsys):
    part = entry("mine", *of(0.5))
    part = part.model_copy(update={"headline": headline(part.cells, filtered=True)})
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "entry.json").write_text(entry_text(part))
    assert submitted(tmp_path / "run", board) == 2
    assert refused(capsys, "has no score, for cells of the suite were left out")


def test_other_options_under_the_same_name_do_not_take_an_entry_s_place(tmp_path, board, capsys):
    def with_options(**options):
        submission = entry("mine", *of(0.9))
        return of_mapper(submission, options=options)

    assert submitted(run_of(tmp_path / "one", with_options()), board) == 0
    before = [file.read_bytes() for file in (board / "entries").iterdir()]
    assert submitted(run_of(tmp_path / "other", with_options(ridge=0.1)), board) == 2
    assert refused(capsys, "of another source or with other options")
    assert [file.read_bytes() for file in (board / "entries").iterdir()] == before


def test_of_a_leaderboard_nothing_beside_an_entry_is_read_or_run(tmp_path, board, capsys):
    run, submission = with_source(tmp_path, "raise SystemExit('run unasked')\n" + MINE)
    assert submitted(run, board) == 0
    path = board / "entries" / file_name(submission)
    (board / "entries" / "source").mkdir()
    (board / "entries" / "source" / "mine.py").write_text("raise SystemExit('run instead')\n")
    (board / "entries" / "suite.json").write_text("{}")
    assert main(["leaderboard", "verify", str(path), "--leaderboard", str(board)]) == 0
    assert main(["leaderboard", "verify", str(path), "--leaderboard", str(board), "--rerun", "1"]) == 2
    assert f"{board / 'mappers' / path.stem} is a submission: --trust-code runs it" in capsys.readouterr().err
    (board / "mappers" / path.stem / "mine.py").write_text("raise SystemExit('changed')\n")
    more = ["--leaderboard", str(board), "--rerun", "1", "--trust-code"]
    assert main(["leaderboard", "verify", str(path), *more]) == 1


def test_a_leaderboard_without_a_suite_or_with_a_mapper_twice_is_found(tmp_path, board, capsys):
    submission = entry("mine", *of(0.8))
    assert submitted(run_of(tmp_path / "run", submission), board) == 0
    (board / "suites" / "pocket.json").rename(board / "kept.json")
    assert verified(board) == 1
    assert f"{board} has no suite pocket: `graftbench submit` writes" in capsys.readouterr().out
    assert main(["leaderboard", "build", "--leaderboard", str(board)]) == 2
    (board / "kept.json").rename(board / "suites" / "pocket.json")
    other = of_mapper(read_entry(board / "entries" / file_name(submission)), sha256="1" * 64, name="Mine")
    (board / "entries" / file_name(other)).write_text(entry_text(other))
    stored, theirs = (board / "mappers" / file_name(one).removesuffix(".json") for one in (submission, other))
    shutil.copytree(stored, theirs)
    assert verified(board) == 1
    assert "there is a mapper called mine already" in capsys.readouterr().out
    assert main(["leaderboard", "page", "--leaderboard", str(board)]) == 2


def test_a_part_of_a_suite_is_ranked_nowhere(tmp_path, board, capsys):
    assert submitted(run_of(tmp_path / "run", entry("mine", *of(0.8))), board) == 0
    part = entry("part", of(0.9)[0])
    (board / "entries" / file_name(part)).write_text(entry_text(part))
    assert main(["leaderboard", "build", "--leaderboard", str(board)]) == 2
    assert refused(capsys, "is missing")
    assert not (board / "leaderboard.json").exists()


@pytest.mark.parametrize(
    "edit",
    [
        lambda row: row.update(split=1),
        lambda row: row.update(draw="x"),
        lambda row: row.pop("condition"),
    ],
)
def test_rows_of_another_form_are_refused(tmp_path, board, capsys, edit):
    submission = entry("mine", *of(0.5))
    run_of(tmp_path / "run", submission)
    rows = list(rows_of(submission))
    for row in rows:
        edit(row)
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "run" / "rows.parquet")
    assert submitted(tmp_path / "run", board) == 2
    assert refused(capsys, "rows.parquet has no column")


def test_a_task_of_another_version_is_found(tmp_path, board, capsys):
    cells = [cell.model_copy(update={"task_version": 77}) for cell in of(0.9)]
    assert submitted(run_of(tmp_path / "run", entry("mine", *cells)), board) == 2
    assert refused(capsys, "backdoor_removal was of version 77, and is of")
